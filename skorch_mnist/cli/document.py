"""The document of a run, which is used to repeat it and to compare it with other runs."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from .config import Config
from .messages import PROGRAM, report
from .values import to_toml

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier

    from .images import Data

CONFIG = "config.toml"
FIRST_LINE = f"# Repeat this run: {PROGRAM} "
DISTRIBUTIONS = ("skorch_mnist", "numpy", "scikit-learn", "scipy", "skorch", "torch", "torchvision")


def document(
    config: Config, data: Data, clf: MNISTCNNClassifier, sections: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the data, all parameters and the given sections in TOML types."""
    source = config.source._replace(dataset=data.name)._asdict()
    return {
        "data": {k: v for k, v in source.items() if v is not None} | {"sha256": data.sha256},
        "parameters": stated(clf),
        **sections,
    }


def stated(clf: MNISTCNNClassifier) -> dict[str, Any]:
    """Return all parameters that affect the result in TOML types."""
    return {
        name: to_toml(name, value)
        for name, value in clf.get_params(deep=False).items()
        if name != "verbose" and (name != "callbacks" or value is not None)
    }


def dumps(command: str, run: Mapping[str, Any]) -> str:
    """Return the file that repeats a run."""
    import tomli_w

    return f"{FIRST_LINE}{command} --config {CONFIG}\n\n{tomli_w.dumps(run)}"


def environment(clf: MNISTCNNClassifier) -> dict[str, Any]:
    """Return the facts besides data and parameters on which bit-identical results depend."""
    import torch

    from skorch_mnist._devices import available_device

    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": available_device(clf.device).type,
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in DISTRIBUTIONS},
    }


def changed_entries(now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    """Return a clause for each entry that differs between two documents, joined by commas."""
    entries, before = flat(now), flat(then)
    return ", ".join(
        "the images or labels differ"
        if name == "sha256"
        else f"{name} is {entries.get(name, 'not set')}, but was {before.get(name, 'not set')}"
        for name in dict.fromkeys((*entries, *before))
        if entries.get(name) != before.get(name)
    )


def flat(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of all sections."""
    entries: dict[str, Any] = {}
    for name, value in run.items():
        entries |= value if isinstance(value, Mapping) else {name: value}
    return entries


def warn_of_differences(config: Config, clf: MNISTCNNClassifier, run: Mapping[str, Any]) -> None:
    """Warn if a repeated run may not be bit-identical, with the reason."""
    if config.sha256 not in (None, run["data"]["sha256"]):
        report(
            "warning", f"the images or labels of {config.source.dataset} differ from the first run"
        )
    then = flat(config.sections.get("environment", {}))
    now = flat(environment(clf))
    changed = [
        f"{name} {value} (was {then[name]})"
        for name, value in now.items()
        if name in then and then[name] != value
    ]
    if changed:
        report("warning", f"results may differ slightly from the first run: {', '.join(changed)}")
