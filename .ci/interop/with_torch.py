"""PyTorch: quantization and torch.compile of a fitted network."""
# requires: torch

import warnings

import numpy as np
import torch

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0)
clf.fit(X[:1200], y[:1200])
expected = clf.predict(X[1200:])

compiled = clf.set_params(compile=True, compile__backend="eager").initialize().fit(X, y)
assert hasattr(compiled.module_, "_orig_mod")
assert compiled.score(X, y) > 0.9

clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0).fit(X[:1200], y[:1200])
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch moves quantization to torchao
    clf.module_ = torch.ao.quantization.quantize_dynamic(clf.module_.eval(), {torch.nn.Linear})
assert np.mean(clf.predict(X[1200:]) == expected) > 0.98
print("torch", torch.__version__)
