"""Images in every form that users have, checked and brought into one."""
