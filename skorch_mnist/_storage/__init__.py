"""Values and tensors in files: model files, exports, and what checkpoints share with them."""
