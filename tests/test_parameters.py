"""Parameters: valid names, suggestions for wrong ones, and set_params."""

from __future__ import annotations

import inspect
import re
import string
from functools import partial

import pytest
from helpers import quick, toy
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch.callbacks import EpochTimer, PrintLog
from torch import nn

from skorch_mnist import MNISTCNN, MNISTCNNClassifier
from skorch_mnist.network import BatchNormCNN

REAL = [
    "lr",
    "max_epochs",
    "batch_size",
    "module",
    "optimizer",
    "callbacks",
    "module__dropout",
    "module__image_shape",
    "optimizer__weight_decay",
    "iterator_train__num_workers",
    "callbacks__print_log",
    "callbacks__print_log__floatfmt",
    "optimizer__param_groups__0__lr",
]


def complaint(*names, **params):
    """Return the message of the error about these names, None if there is none."""
    clf = MNISTCNNClassifier(**params)
    values = clf.get_params()
    try:
        clf.set_params(**{name: values.get(name) for name in names})
    except ValueError as error:
        return str(error)
    return None


# --- names ----------------------------------------------------------------------------------


def test_real_names_are_valid():
    assert complaint(*REAL) is None and complaint() is None


@settings(deadline=None, max_examples=50)
@given(
    name=st.sampled_from([name for name in REAL if "param_groups" not in name and len(name) > 2]),
    place=st.integers(0, 30),
    letter=st.sampled_from(string.ascii_lowercase),
)
def test_a_name_with_one_wrong_letter_is_suggested(name, place, letter):
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
def test_any_other_name_is_refused_with_the_valid_ones(name):
    message = complaint(name)
    if name in MNISTCNNClassifier().get_params():
        assert message is None
    else:
        assert message.startswith(f"{name!r} is not a valid parameter")
        assert re.search(r" Valid (parameters|prefixes): \w+(, \w+)*\.$", message)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("learning_rate", "lr"),
        ("optimizer__learning_rate", "lr"),
        ("model", "module"),
        ("weight_decay", "optimizer__weight_decay"),
        ("epochs", "max_epochs"),
        ("module__drop_out", "module__dropout"),
        ("modul__dropout", "module__dropout"),
        ("iterator__train_shuffle", None),
        ("iterator_train__shufle", "iterator_train__shuffle"),
        ("iterator_train_shuffle", "iterator_train__shuffle"),
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


@pytest.mark.parametrize("wrong", ["module__hidden", "momentum", "widths", "optimizer__width"])
def test_nothing_is_suggested_if_nothing_is_similar(wrong):
    assert re.search(r"^\S+ is not a valid parameter( of \w+)?\. Valid", complaint(wrong))


def test_parameters_of_the_other_network_are_recognized():
    assert "of MNISTCNN. It is a parameter of BatchNormCNN, which" in complaint("module__widths")
    assert "Did you mean 'module__widths'?" in complaint("widths", module=BatchNormCNN)
    assert "BatchNormCNN" not in complaint("module__widths", module=exactly)


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("optimizer", "SGD", r"torch\.optim\.SGD"),
        ("optimizer", "adam", r"torch\.optim\.Adam"),
        ("module", "BatchNormCNN", r"skorch_mnist\.network\.BatchNormCNN"),
        ("criterion", "NLLLoss", r"torch\.nn\.NLLLoss"),
        ("iterator_train", "other", "the class itself"),
    ],
)
def test_the_name_of_a_class_is_not_a_class(name, value, advice):
    with pytest.raises(ValueError, match=f"^{name}='{value}' is not valid: .* Pass {advice}\\.$"):
        quick(**{name: value}).fit(*toy())


def test_the_first_wrong_name_is_in_the_message():
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
def test_valid_names_are_those_that_the_component_takes(component, valid, wrong):
    assert complaint(valid, module=component) is None
    if wrong is not None:
        assert f"Did you mean {valid!r}" in complaint(wrong, module=component)


def test_names_of_a_callback_class_are_those_of_an_instance():
    callbacks = [("table", PrintLog)]
    assert complaint("callbacks__table__sink", callbacks=callbacks) is None
    assert complaint("callbacks__table__sinc", callbacks=callbacks) is not None


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


def test_names_of_a_new_module_can_be_set_with_it_in_any_order():
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


@pytest.mark.parametrize(
    "function",
    [
        nn.functional.cross_entropy,
        partial(nn.functional.cross_entropy, label_smoothing=0.1),
        lambda logits, codes: logits.sum(),
    ],
)
def test_a_loss_function_is_not_a_criterion(function):
    with pytest.raises(
        ValueError, match=r"criterion=.* is not valid: .* such as torch\.nn\.CrossEntropyLoss"
    ):
        quick(criterion=function).fit(*toy())


@pytest.mark.parametrize(
    "criterion",
    [
        nn.MultiMarginLoss(),
        partial(nn.CrossEntropyLoss, label_smoothing=0.1),
        lambda label_smoothing: nn.CrossEntropyLoss(label_smoothing=label_smoothing),
    ],
)
def test_a_criterion_is_a_module_or_makes_one(criterion):
    clf = quick(criterion=criterion)
    if not isinstance(criterion, nn.Module):
        clf.set_params(criterion__label_smoothing=0.1)
    assert isinstance(clf.fit(*toy()).criterion_, nn.Module)
