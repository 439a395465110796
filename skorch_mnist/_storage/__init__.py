"""Values and tensors in files: model files, exports, and what checkpoints share with them."""

from ._plain_data import name_of
from ._stored_params import ROLES

__all__ = ["ROLES", "name_of"]
