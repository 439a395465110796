"""The commands with --backend dask, without a cluster."""

from __future__ import annotations

import sys

import pytest

from skorch_mnist import cli
from skorch_mnist.cli import workers

pytestmark = pytest.mark.usefixtures("few_digits")
NOWHERE = "tcp://127.0.0.1:9"


def test_a_cluster_that_does_not_answer_is_an_error(capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "PATIENCE", 0.5)
    options = ["--dataset", "digits", "--backend", "dask", "--address", NOWHERE]
    assert cli.main(["cross-validate", *options]) == 1
    assert f"cannot connect to the Dask scheduler at {NOWHERE}" in capsys.readouterr().err


def test_without_dask_the_error_says_how_to_install_it(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    options = ["--dataset", "digits", "--backend", "dask", "--address", NOWHERE]
    assert cli.main(["cross-validate", *options]) == 1
    assert 'pip install "skorch_mnist[dask]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--backend", "dask"],
            "requires --address, the address of the scheduler, such as tcp://10.0.0.1:8786",
        ),
        (["--address", "10.0.0.1:6379"], "--address requires --backend dask"),
        (["--backend", "dask", "--address", "x", "--resume"], "--resume requires --backend loky"),
        (["--backend", "ray", "--address", "x"], "ray"),
    ],
)
def test_options_that_cannot_be_combined_are_refused(options, message, capsys):
    assert cli.main(["cross-validate", *options]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
