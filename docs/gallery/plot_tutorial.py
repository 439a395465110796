"""
Recognize handwritten digits
============================

Train, inspect, cross-validate and tune a convolutional network, with the tools of scikit-learn.
"""

# %%
# Data
# ----
#
# MNIST has 60,000 training images and 10,000 test images of 28x28 pixels, as rows of 784 numbers.
# Here it is used only if it is already cached. Otherwise the 1,797 digits that come with
# scikit-learn, brought to the same shape, take its place, and a fifth of them is held out for
# testing. Call ``fetch_mnist`` without ``download_if_missing=False`` to download MNIST.

from sklearn.model_selection import train_test_split

from skorch_mnist import fetch_mnist, load_digits28
from skorch_mnist.datasets import DatasetError

try:
    X_train, y_train = fetch_mnist(subset="train", return_X_y=True, download_if_missing=False)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True, download_if_missing=False)
    print("MNIST is cached: this page was made with it.")
except DatasetError:
    X, y = load_digits28(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=0
    )
    print("MNIST is not cached: this page was made with the scikit-learn digits.")
print(f"training images: {X_train.shape}, test images: {X_test.shape}, {X_train.dtype}")

# %%
# Classifier
# ----------
#
# The defaults are two convolutions and two linear layers, cross-entropy, Adam with a learning rate
# of 0.001, batches of 64, ten epochs, and a fifth of the training images for validation. The device
# is a GPU if there is one. ``random_state`` makes the result reproducible.

from skorch_mnist import MNISTCNN, MNISTCNNClassifier

clf = MNISTCNNClassifier(random_state=0)
print(MNISTCNN())

# %%
# Training
# --------
#
# ``fit`` prints one line per epoch: training loss, validation accuracy and loss, and seconds.

clf.fit(X_train, y_train)

# %%
# History
# -------
#
# The training loss is measured with dropout, the validation loss without it. That is why the
# validation loss may be the lower of the two.

import matplotlib.pyplot as plt

from skorch_mnist.displays import HistoryDisplay

HistoryDisplay.from_estimator(clf)
plt.show()

# %%
# Prediction
# ----------
#
# The classifier is a scikit-learn estimator: ``score`` is its accuracy on images that it has not
# seen, and scikit-learn draws the confusion matrix.

from sklearn.metrics import ConfusionMatrixDisplay

print(f"accuracy on the test images: {clf.score(X_test, y_test):.4f}")
ConfusionMatrixDisplay.from_predictions(y_test, clf.predict(X_test), colorbar=False)
plt.show()

# %%
# Cross-validation
# ----------------
#
# Five folds of at most 10,000 training images, with three epochs each, take seconds. Arrays are the
# simplest input.

from sklearn.model_selection import cross_val_score

X_cv, y_cv = X_train[:10_000], y_train[:10_000]
quick = MNISTCNNClassifier(max_epochs=3, verbose=0, random_state=0)
scores = cross_val_score(quick, X_cv, y_cv, cv=5)
print(f"five folds of {len(X_cv)} images: {scores.round(4)}, mean {scores.mean():.4f}")

# %%
# A PyTorch dataset works as well: ``SliceDataset`` of skorch makes it look like an array. Use any
# dataset of pairs of image and label, such as those of torchvision.

import torch
from skorch.helper import SliceDataset
from torch.utils.data import TensorDataset

dataset = TensorDataset(torch.as_tensor(X_cv), torch.as_tensor(y_cv))
images, labels = SliceDataset(dataset, idx=0), SliceDataset(dataset, idx=1)
scores = cross_val_score(quick, images, labels, cv=5)
print(f"the same folds from a dataset: {scores.round(4)}, mean {scores.mean():.4f}")

# %%
# Grid search
# -----------
#
# You can search every parameter, in a pipeline, too. Parameters of the network have the prefix
# ``module__``. The classifier itself does not need the scaler, which is here to show a pipeline.
# Two processes share the work, on at most 3,000 images.

from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

pipeline = Pipeline([("scale", MinMaxScaler()), ("cnn", quick)])
grid = {
    "cnn__lr": [0.001, 0.003],
    "cnn__module__dropout": [0.0, 0.2],
    "cnn__batch_size": [32, 128],
}
search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X_train[:3_000], y_train[:3_000])
print(f"best of {len(search.cv_results_['params'])} settings: {search.best_params_}")
print(f"its accuracy in cross-validation: {search.best_score_:.4f}")
print(f"its accuracy on the test images: {search.score(X_test, y_test):.4f}")
