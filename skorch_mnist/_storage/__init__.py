"""Values and tensors in files: model files, exports, and what checkpoints share with them."""

from ._export import WholeClassifier, exported_program, write_onnx
from ._model_file import (
    StoredModel,
    check_weights,
    loading,
    name_of_network,
    read_model,
    write_model,
)
from ._plain_data import UnstorableError, decode, encode, name_of
from ._stored_params import ROLES
from ._tensor_file import TEMPORARY, DamagedFileError, read_tensors, write_tensors

__all__ = [
    "ROLES",
    "TEMPORARY",
    "DamagedFileError",
    "StoredModel",
    "UnstorableError",
    "WholeClassifier",
    "check_weights",
    "decode",
    "encode",
    "exported_program",
    "loading",
    "name_of",
    "name_of_network",
    "read_model",
    "read_tensors",
    "write_model",
    "write_onnx",
    "write_tensors",
]
