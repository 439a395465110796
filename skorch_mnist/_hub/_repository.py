"""Where a fitted classifier comes from, and how one is uploaded to the Hugging Face Hub."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from skorch_mnist._storage._model_file import StoredModel, write_model

from ._card import CARD, model_card

MODEL = "model.safetensors"  # in a repository, and in the folder of a run
PRETRAINED = {"digits": Path(__file__).parents[1] / "pretrained" / "digits.safetensors"}
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def pretrained_file(name: Any, revision: str | None = None) -> Path:
    """Return the file of a classifier of the package, on disk, or on the Hub, in this order.

    A folder without a model does not hide the repository of the same name.

    Raises
    ------
    ValueError
        If ``name`` is none of these, or ``revision`` is given for what has no revisions.
    ImportError
        If it is on the Hub, and ``huggingface_hub`` is not installed.
    OSError
        If the Hub does not have it, or cannot be reached.
    """
    in_repository = isinstance(name, str) and REPOSITORY.fullmatch(name) is not None
    local = PRETRAINED.get(name) if isinstance(name, str) else None
    if local is None and isinstance(name, (str, os.PathLike)) and name and Path(name).exists():
        local = Path(name) / MODEL if Path(name).is_dir() else Path(name)
    if local is not None and (local.exists() or not in_repository):
        if revision is not None:
            raise ValueError(
                f"revision={revision!r} is not valid: {name} is not read from the Hub, but from "
                f"{local}, which does not have revisions."
            )
        return local
    if not in_repository:
        valid = " or ".join(f'"{model}"' for model in PRETRAINED)
        raise ValueError(
            f"name={name!r} is not valid: it must be {valid}, an existing file or folder, or a "
            'repository on the Hub, such as "user/name".'
        )
    missing = "" if local is None else f"{local} does not exist, and "
    client = hub(f"{missing}reading {name} from the Hugging Face Hub")
    try:
        return Path(client.hf_hub_download(name, MODEL, revision=revision))
    except OSError as error:  # so are all errors of the client: HTTP, and files that are not there
        raise OSError(
            f"{missing}{MODEL} of {name} cannot be read from the Hub. Check the name, the revision "
            "and the network connection; for a private repository, log in with hf auth login: "
            f"{error}"
        ) from error


def upload(
    repo_id: str,
    stored: StoredModel,
    *,
    defaults: Mapping[str, Any],
    metrics: Mapping[str, float] | None,
    private: bool | None,
) -> str:
    """Upload a classifier and its card in one commit, and return the hash of the commit."""
    card = model_card(
        stored, title=repo_id, source=repo_id, defaults=defaults, metrics=metrics or {}
    )
    client = hub("push_to_hub")
    with TemporaryDirectory() as folder:
        write_model(Path(folder, MODEL), stored)
        Path(folder, CARD).write_text(card, encoding="utf-8")
        client.create_repo(repo_id, private=private, exist_ok=True)
        commit = client.upload_folder(
            repo_id=repo_id, folder_path=folder, commit_message="Upload the classifier and its card"
        )
    return str(commit.oid)


def hub(purpose: str) -> Any:
    """Return the client of the Hub; ``purpose`` begins the error if it is not installed."""
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise ImportError(
            f'{purpose} requires huggingface_hub: pip install "skorch_mnist[hub]"'
        ) from error
    return HfApi(library_name="skorch_mnist")
