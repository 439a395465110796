"""A server that reads digits: a page to draw on, and an API."""
