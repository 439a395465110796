"""A server that reads digits: a page for drawing, and an API."""
