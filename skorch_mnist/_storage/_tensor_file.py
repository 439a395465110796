"""Files of tensors with a JSON manifest, in safetensors format, written atomically."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from skorch_mnist._atomic import replace_file

LARGEST_HEADER = 100_000_000  # bytes, as in safetensors
LIBRARIES = ("torch", "skorch", "scikit-learn", "numpy", "skorch_mnist")


class DamagedFileError(ValueError):
    """Raised if a file is damaged or of another kind."""


def write_tensors(
    path: str | os.PathLike[str],
    kind: str,
    file_format: int,
    facts: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
) -> None:
    """Write one file.

    Parameters
    ----------
    path : path-like
        Replaced atomically; links are followed.
    kind : str
        Key of the metadata entry for the manifest.
    file_format : int
        Number of the format.
    facts : mapping
        Content of the manifest, in JSON types. Format, versions and a hash are added.
    tensors : mapping of str to torch.Tensor
        On any device; they are copied.
    """
    manifest = {
        "format": file_format,
        "versions": {name: version(name) for name in LIBRARIES}
        | {"python": platform.python_version()},
        **facts,
    }
    copies = {
        name: tensor.detach().to("cpu", memory_format=torch.contiguous_format, copy=True)
        for name, tensor in tensors.items()
    }
    manifest["sha256"] = digest(manifest, copies)
    replace_file(path, safetensors.torch.save(copies, metadata={kind: json.dumps(manifest)}))


def read_tensors(
    path: str | os.PathLike[str], kind: str, newest: int
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the manifest and the tensors of a file.

    Raises
    ------
    DamagedFileError
        If the file is damaged, or not of this ``kind``.
    ValueError
        If its format is not from 1 to ``newest``.
    """
    with Path(path).open("rb") as file:
        try:
            length = file.read(8)
            header = file.read(min(int.from_bytes(length, "little"), LARGEST_HEADER))
            manifest: dict[str, Any] = json.loads(json.loads(header.decode())["__metadata__"][kind])
            number, versions = manifest["format"], dict(manifest["versions"])
            sha256 = manifest.pop("sha256", None)
            # Do not map the file into memory, because rewriting a mapped file kills its readers.
            tensors = safetensors.torch.load(length + header + file.read())
        except OSError:
            raise
        except Exception as error:  # json, safetensors and torch raise many kinds
            raise DamagedFileError(f"{path} is damaged.") from error
    if type(number) is not int or not 1 <= number <= newest:
        known = "1" if newest == 1 else f"1 to {newest}"
        raise ValueError(
            f"{path} has format {number!r}, but this version of skorch_mnist reads only {known}. "
            f"Install the version that wrote it ({versions.get('skorch_mnist')})."
        )
    if sha256 != digest(manifest, tensors):
        raise DamagedFileError(f"{path} is damaged.")
    return manifest, tensors


def digest(manifest: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of manifest and tensors, which detects damage, but not forgery."""
    sha256 = hashlib.sha256(json.dumps(manifest).encode())
    for name, tensor in sorted(tensors.items()):
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()
