"""Exported classifiers: raw pixels in, label and probabilities out, as predict gives them."""

from __future__ import annotations

import builtins
import importlib.util
import io

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from helpers import quick, slow_unless, toy
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from sklearn.exceptions import NotFittedError
from torch import nn

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist.network import BatchNormCNN
from skorch_mnist.recipes import FAST

X, Y = toy(60, shape=(36,))


class Flat(nn.Module):
    """A network of a user, with a second output."""

    def __init__(self, n_classes):
        super().__init__()
        self.output = nn.Linear(36, n_classes)

    def forward(self, x):
        return self.output(x.flatten(1)), x


def run_onnx(path, X):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["label", "probabilities"], {"X": np.asarray(X)})


def check(clf, X, path):
    """ONNX Runtime and torch.export agree with the classifier, on batches of any size."""
    clf.to_onnx(path)
    program = clf.to_exported_program().module()
    expected = clf.predict_proba(X)
    for rows in (slice(0, 1), slice(0, 7), slice(None)):
        labels, probabilities = run_onnx(path, X[rows])
        np.testing.assert_allclose(probabilities, expected[rows], atol=1e-5)
        np.testing.assert_array_equal(labels, clf.predict(X[rows]))
        codes, from_torch = program(torch.from_numpy(np.asarray(X[rows])))
        np.testing.assert_allclose(from_torch.detach().numpy(), expected[rows], atol=1e-5)
        np.testing.assert_array_equal(clf.classes_[codes.numpy()], clf.predict(X[rows]))
    assert probabilities.dtype == np.float32
    return labels


@pytest.fixture(scope="module")
def exported(fitted, tmp_path_factory):
    """The ONNX model of a classifier of digits."""
    path = tmp_path_factory.mktemp("exported") / "m"
    fitted.to_onnx(path)
    return path


LAYOUTS = {
    "rows": (36,),
    "gray": (6, 6),
    "channel first": (1, 6, 6),
    "channel last": (6, 6, 1),
    "colors first": (3, 4, 3),
    "colors last": (2, 6, 3),
}


@pytest.mark.parametrize("shape", slow_unless({"colors last"}, LAYOUTS))
def test_the_layout_of_fit_is_kept(shape, tmp_path):
    pixels = X.reshape(-1, *shape)
    clf = quick(module=Flat).fit(pixels, Y)
    assert clf.input_format_ == (shape, "uint8")
    check(clf, pixels, tmp_path / "m")
    session = onnxruntime.InferenceSession(tmp_path / "m")
    assert session.get_inputs()[0].shape == ["n_samples", *shape]
    with pytest.raises(InvalidArgument):
        run_onnx(tmp_path / "m", np.zeros((2, 7, 7), dtype=np.uint8))


def test_rows_that_were_padded(tmp_path):
    with pytest.warns(UserWarning, match="do not form a square"):
        clf = quick(module=Flat).fit(X[:, :30], Y)
    check(clf, X[:, :30], tmp_path / "m")


DTYPES_AND_LABELS = {
    "uint8": np.array(["zero", "one", "zwölf"]),
    "bool": np.array(["b", "a", "🙂"], dtype=object),
    "int8": np.array([1, 3, 50]),
    "uint16": np.array([1, 2, 3], dtype=np.uint8),
    "int16": np.array([2**63, 2**63 + 1, 2**64 - 1], dtype=np.uint64),
    "int32": np.array([1, 2, 3], dtype=">i4"),
    "int64": np.array([1.0, 2.0, 4.0], dtype=np.float32),
    "float16": np.array([False, True, True]),
    "float32": np.array([0, 1, 2]),
    "float64": np.array([-1, 0, 1], dtype=np.int8),
}


@pytest.mark.parametrize(
    "dtype",
    slow_unless({"float32"}, {name: name for name in DTYPES_AND_LABELS}),
)
def test_pixels_and_labels_of_any_dtype(dtype, tmp_path):
    pixels, values = (X // 2).astype(dtype), DTYPES_AND_LABELS[dtype]
    labels = check(quick(module=Flat).fit(pixels, values[Y]), pixels, tmp_path / "m")
    assert labels.dtype.kind == values.dtype.kind or labels.dtype == object


def test_labels_without_an_onnx_type_cannot_be_exported(tmp_path):
    clf = quick().fit(X, Y)
    clf.classes_inferred_ = np.array([1, "a", None], dtype=object)
    with pytest.raises(ValueError, match="Labels of dtype object cannot be exported to ONNX"):
        clf.to_onnx(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


NETWORKS = {
    "network": {"module": BatchNormCNN, "module__widths": (4, 8)},
    "shifted copies": {
        "module": BatchNormCNN,
        "module__widths": (4,),
        "module__shifted_copies": True,
    },
    "recipe": {**FAST, "module__padding": True, "max_epochs": 1},
    "criterion": {"criterion": nn.NLLLoss},
    "instance": {"module": BatchNormCNN((1, 6, 6), 3, widths=(4,))},
}


@pytest.mark.parametrize("params", slow_unless({"network"}, NETWORKS))
def test_other_networks(params, tmp_path):
    check(quick(**params).fit(X, Y), X, tmp_path / "m")


def test_compiled_network(tmp_path):
    clf = quick(module=Flat).fit(X, Y)
    clf.set_params(compile=True, compile__backend="eager").initialize()
    assert hasattr(clf.module_, "_orig_mod")
    check(clf, X, tmp_path / "m")


class Stubborn(Flat):
    def forward(self, x):
        if float(x.sum()) > 0:
            return super().forward(x)
        return super().forward(-x)


class Viewing(Flat):
    def forward(self, x):
        return self.output(x.view(x.size(0), -1))


def test_own_network_that_views_images_with_channels_last(tmp_path):
    pixels = X.reshape(-1, 3, 4, 3)
    check(quick(module=Viewing).fit(pixels, Y), pixels, tmp_path / "m")


def test_network_that_cannot_be_traced(tmp_path):
    clf = quick(module=Stubborn).fit(X, Y)
    with pytest.raises(ValueError, match=r"torch\.export cannot export the network Stubborn"):
        clf.to_onnx(tmp_path / "m")
    with pytest.raises(ValueError, match=r"torch\.export cannot export the network Stubborn"):
        clf.to_exported_program()
    assert list(tmp_path.iterdir()) == []


def test_frames(tmp_path):
    frame = pd.DataFrame(X)
    clf = quick(module=Flat).fit(frame.rename(columns=str), Y)
    clf.to_onnx(tmp_path / "m")
    expected = clf.predict_proba(frame.rename(columns=str))
    np.testing.assert_allclose(run_onnx(tmp_path / "m", frame)[1], expected, atol=1e-5)


def test_the_classifier_is_not_changed_and_nothing_is_printed(fitted, digits, tmp_path, capfd):
    _, X_test, _, _ = digits
    before, training = fitted.predict_proba(X_test), fitted.module_.training
    layout = fitted.module_.conv2.weight.stride()
    fitted.to_onnx(tmp_path / "m")
    assert fitted.module_.training == training
    assert fitted.module_.conv2.weight.stride() == layout
    assert all(weight.requires_grad for weight in fitted.module_.parameters())
    np.testing.assert_array_equal(fitted.predict_proba(X_test), before)
    assert capfd.readouterr() == ("", "")


def test_the_model_describes_its_inputs_and_outputs(exported):
    session = onnxruntime.InferenceSession(exported)
    (X_in,) = session.get_inputs()
    assert (X_in.name, X_in.type, X_in.shape) == ("X", "tensor(uint8)", ["n_samples", 784])
    outputs = [(output.name, output.type, output.shape) for output in session.get_outputs()]
    assert outputs == [
        ("label", "tensor(int64)", ["n_samples"]),
        ("probabilities", "tensor(float)", ["n_samples", 10]),
    ]
    meta = session.get_modelmeta()
    assert meta.producer_name == "skorch_mnist"
    assert meta.custom_metadata_map == {"pixels": "0 to 255", "image_shape": "1x28x28"}


def test_loaded_classifier_can_be_exported(fitted, digits, tmp_path):
    _, X_test, _, _ = digits
    fitted.save(tmp_path / "model")
    check(MNISTCNNClassifier.load(tmp_path / "model"), X_test[:50], tmp_path / "m")


def test_program_can_be_written_and_read(fitted, digits):
    _, X_test, _, _ = digits
    file = io.BytesIO()
    torch.export.save(fitted.to_exported_program(), file)
    file.seek(0)
    _, probabilities = torch.export.load(file).module()(torch.from_numpy(X_test))
    np.testing.assert_allclose(
        probabilities.detach().numpy(), fitted.predict_proba(X_test), atol=1e-5
    )


def test_unfitted_classifier_cannot_be_exported(tmp_path):
    with pytest.raises(NotFittedError):
        quick().to_onnx(tmp_path / "m")
    with pytest.raises(NotFittedError):
        quick().to_exported_program()


def test_missing_library_says_how_to_install_it(fitted, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name)
    )
    with pytest.raises(ImportError, match=r'onnxscript: pip install "skorch_mnist\[onnx\]"'):
        fitted.to_onnx(tmp_path / "m")


def test_unwritable_path_is_the_usual_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        quick(module=Flat).fit(X, Y).to_onnx(tmp_path / "nowhere" / "m")


def test_torch_export_needs_no_onnx(fitted, monkeypatch):
    imports = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("onnx"):
            raise ImportError(name)
        return imports(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert fitted.to_exported_program() is not None


@pytest.mark.slow
def test_all_test_images_of_mnist(mnist, tmp_path):
    X_train, X_test, y_train, _ = mnist
    names = np.array([f"digit {n}" for n in range(10)])
    clf = quick(**FAST).fit(X_train[:20_000], names[y_train[:20_000]])
    clf.to_onnx(tmp_path / "m")
    labels, probabilities = run_onnx(tmp_path / "m", X_test)
    expected = clf.predict_proba(X_test)
    assert np.abs(probabilities - expected).max() < 1e-5
    assert (labels == clf.predict(X_test)).all()
