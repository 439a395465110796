"""
Plot and inspect a classifier
=============================

The displays work like those of scikit-learn. ``from_estimator`` plots a fitted classifier, and
``plot`` plots again, into your own axes if you pass them. Each display stores what it plotted in
attributes.
"""

# %%
# Train a classifier
# ------------------
#
# Five epochs on the digits that come with scikit-learn leave some mistakes to look at.

import matplotlib.pyplot as plt
from sklearn.model_selection import cross_validate, train_test_split

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
clf = MNISTCNNClassifier(max_epochs=5, random_state=0, verbose=0).fit(X_train, y_train)

# %%
# History
# -------
#
# Loss or accuracy of each epoch. For several training runs, such as the folds of a
# cross-validation, it shows their mean and the band from the lowest to the highest. To compare
# classifiers on the same ``ax``, give each a ``name``.

from skorch_mnist.displays import HistoryDisplay

folds = cross_validate(clf, X_train, y_train, cv=4, return_estimator=True)["estimator"]
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
HistoryDisplay.from_estimator(folds, ax=left)
HistoryDisplay.from_estimator(folds, kind="accuracy", ax=right)
plt.show()

# %%
# The same as a data frame, for which pandas must be installed:

print(clf.history_frame()[["train_loss", "valid_loss", "valid_acc"]].round(4))

# %%
# Learning rate
# -------------
#
# A schedule records its rate. Here are 20 epochs of one cycle.

cycle = MNISTCNNClassifier(lr=0.01, lr_schedule="one_cycle", max_epochs=20, verbose=0)
HistoryDisplay.from_estimator(cycle.fit(X_train[:200], y_train[:200]), kind="learning rate")
plt.show()

# %%
# Mistakes
# --------
#
# The wrong predictions, those with the highest confidence first.

from skorch_mnist.displays import MistakesDisplay

MistakesDisplay.from_estimator(clf, X_test, y_test, n_images=15)
plt.show()

# %%
# Confusions
# ----------
#
# scikit-learn plots which digits are confused with which.

from sklearn.metrics import ConfusionMatrixDisplay

ConfusionMatrixDisplay.from_estimator(clf, X_test, y_test, cmap="Blues", colorbar=False)
plt.show()

# %%
# Reliability
# -----------
#
# Are predictions with a probability of 80% right in 80 of 100 cases? Points below the diagonal are
# overconfident predictions, points above it are underconfident ones.

from skorch_mnist.displays import ReliabilityDisplay

display = ReliabilityDisplay.from_estimator(clf, X_test, y_test)
plt.show()
print(f"expected calibration error: {display.expected_calibration_error_:.3f}")

# %%
# Filters
# -------
#
# The kernels of the first convolution: orange is positive, blue is negative.

from skorch_mnist.displays import FiltersDisplay

FiltersDisplay.from_estimator(clf)
plt.show()

# %%
# Attribution
# -----------
#
# Which parts of the image decide: a patch is hidden at each position in turn. Orange pixels support
# the prediction, blue ones oppose it.

from skorch_mnist.displays import AttributionDisplay

AttributionDisplay.from_estimator(clf, X_test[:10])
plt.show()
