"""Model files, exports, and the file format that checkpoints share with them."""
