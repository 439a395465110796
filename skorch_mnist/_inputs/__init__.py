"""Check images of all supported types, and convert them to one form."""
