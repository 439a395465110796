"""Parameters: which names exist, which was meant, and what set_params does with them."""

from __future__ import annotations

import inspect
import re
import string
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch.callbacks import EpochTimer, PrintLog
from torch.utils.data import DataLoader

from skorch_mnist import MNISTCNN, MNISTCNNClassifier
from skorch_mnist._parameters import check_names

OWN = ["lr", "max_epochs", "batch_size", "module", "optimizer", "callbacks"]
COMPONENTS = {"module": MNISTCNN, "optimizer": torch.optim.Adam, "iterator_train": DataLoader}
CALLBACKS = {"print_log": PrintLog(), "epoch_timer": EpochTimer()}
REAL = [
    *OWN,
    "module__dropout",
    "module__image_shape",
    "optimizer__weight_decay",
    "iterator_train__num_workers",
    "callbacks__print_log",
    "callbacks__print_log__floatfmt",
    "optimizer__param_groups__0__lr",
]


def complaint(*names, own=OWN, components=COMPONENTS, callbacks=CALLBACKS):
    """Return the message of the error about these names, None if there is none."""
    values = {"criterion": torch.nn.CrossEntropyLoss, "iterator_valid": DataLoader}
    net = SimpleNamespace(
        **{**values, **COMPONENTS, **components}, _named_callbacks=callbacks.items
    )
    try:
        check_names(net, names, own)
    except ValueError as error:
        return str(error)
    return None


# --- names ----------------------------------------------------------------------------------


def test_real_names_are_no_cause_for_complaint():
    assert complaint(*REAL) is None and complaint() is None


@settings(deadline=None, max_examples=50)
@given(
    name=st.sampled_from([name for name in REAL if "param_groups" not in name and len(name) > 2]),
    place=st.integers(0, 30),
    letter=st.sampled_from(string.ascii_lowercase),
)
def test_one_wrong_letter_at_the_end_still_names_the_nearest(name, place, letter):
    last = name.rfind("_") + 1
    place = last + place % (len(name) - last)
    wrong = name[:place] + letter + name[place + 1 :]
    if wrong in REAL:
        return
    message = complaint(*REAL, wrong)
    assert message.startswith(f"{wrong!r} is not a valid parameter")
    assert f". Did you mean {name!r}? " in message


@settings(deadline=None, max_examples=50)
@given(name=st.text(st.sampled_from("abcdeflmorst_"), min_size=1, max_size=25))
def test_any_name_is_real_or_complained_about_with_the_valid_ones(name):
    message = complaint(name)
    if name in REAL:
        assert message is None
    else:
        assert message.startswith(f"{name!r} is not a valid parameter")
        assert re.search(r" Valid parameters: \w+(, \w+)*\.$", message)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("learning_rate", None),
        ("epochs", "max_epochs"),
        ("module__drop_out", "module__dropout"),
        ("modul__dropout", "module__dropout"),
        ("iterator__train_shuffle", None),
        ("iterator_train__shufle", "iterator_train__shuffle"),
        ("iterator_train_shuffle", None),
        ("callbacks__printlog", "callbacks__print_log"),
        ("callbacks__printlog__sink", "callbacks__print_log"),
        ("callbacks__print_log__sing", "callbacks__print_log__sink"),
        ("module__", "module"),
        ("optimizer__params", None),
        ("xyz", None),
    ],
)
def test_examples_of_wrong_names(wrong, nearest):
    message = complaint(wrong)
    assert message.startswith(f"{wrong!r} is not a valid parameter")
    if nearest is not None:
        assert f" Did you mean {nearest!r}?" in message


def test_message_lists_the_valid_names_of_the_same_component():
    assert complaint("module__dropuot") == (
        "'module__dropuot' is not a valid parameter of MNISTCNN. Did you mean 'module__dropout'? "
        "Valid parameters: module__channel_dropout, module__dropout, module__image_shape, "
        "module__n_classes."
    )


def test_first_wrong_name_is_the_one_named():
    assert complaint("lr", "xyz", "abc").startswith("'xyz' ")


def anything(**arguments):
    return MNISTCNN(**arguments)


def exactly(*, width=3):
    return MNISTCNN(n_classes=width)


@pytest.mark.parametrize(
    ("component", "valid", "wrong"),
    [
        (anything, "module__whatever", None),
        (exactly, "module__width", "module__widht"),
        (MNISTCNN(), "module__dropout", "module__dropuot"),
        (dict, "module__whatever", None),  # a constructor without a signature
    ],
)
def test_names_are_those_that_the_component_takes(component, valid, wrong):
    components = {"module": component}
    assert complaint(valid, components=components) is None
    if wrong is not None:
        assert f"Did you mean {valid!r}" in complaint(wrong, components=components)


def test_callback_class_is_asked_like_an_instance():
    callbacks = {"print_log": PrintLog}
    assert complaint("callbacks__print_log__sink", callbacks=callbacks) is None
    assert complaint("callbacks__print_log__sinc", callbacks=callbacks) is not None


# --- on the classifier ----------------------------------------------------------------------


def test_every_parameter_of_the_classifier_can_be_set_to_itself():
    clf = MNISTCNNClassifier(module__dropout=0.1, iterator_train__num_workers=0)
    before = clf.get_params(deep=False)
    assert clf.set_params(**before) is clf
    assert clf.get_params(deep=False) == before
    arguments = set(inspect.signature(MNISTCNNClassifier).parameters) - {"nested"}
    assert set(before) == arguments | {"module__dropout", "iterator_train__num_workers"}


@settings(deadline=None, max_examples=20)
@given(lr=st.floats(1e-6, 1), batch_size=st.integers(1, 99), dropout=st.floats(0, 1))
def test_parameters_are_set_all_or_none(lr, batch_size, dropout):
    values = {"lr": lr, "batch_size": batch_size, "module__dropout": dropout}
    clf = MNISTCNNClassifier()
    with pytest.raises(ValueError, match="'batch_siez' is not a valid parameter"):
        clf.set_params(**values, batch_siez=3)
    assert clf.get_params(deep=False) == MNISTCNNClassifier().get_params(deep=False)
    clf.set_params(**values)
    assert {name: clf.get_params()[name] for name in values} == values


def test_names_of_a_new_module_are_valid_with_it_in_any_order():
    for names in (["module", "module__width"], ["module__width", "module"]):
        params = {"module": exactly, "module__width": 4}
        clf = MNISTCNNClassifier().set_params(**{name: params[name] for name in names})
        assert clf.get_params()["module__width"] == 4
    with pytest.raises(ValueError, match="'module__dropout' is not a valid parameter"):
        MNISTCNNClassifier().set_params(module=exactly, module__dropout=0.5)


def test_callbacks_are_parameters_by_name():
    clf = MNISTCNNClassifier(callbacks=[("timer", EpochTimer())])
    assert isinstance(clf.get_params()["callbacks__timer"], EpochTimer)
    assert "callbacks__timer" not in clf.get_params(deep=False)
    clf.set_params(callbacks__timer=None)
    with pytest.raises(ValueError, match=r"Did you mean 'callbacks__timer'\?"):
        clf.set_params(callbacks__tiemr=None)
