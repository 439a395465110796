"""
See what it does
================

Displays after scikit-learn's pattern: ``from_estimator`` draws a fitted classifier, ``plot`` draws
again, into an axes of your own where you give one. Each keeps what it drew as attributes.
"""

# %%
# A classifier that is not perfect yet
# ------------------------------------
#
# Five epochs on the digits that come with scikit-learn, so that there is something to see.

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
# Loss or accuracy of each epoch; for several trainings, such as the folds of a cross-validation,
# their mean and the band from the lowest to the highest.

from skorch_mnist.displays import HistoryDisplay

folds = cross_validate(clf, X_train, y_train, cv=4, return_estimator=True)["estimator"]
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
HistoryDisplay.from_estimator(folds, ax=left)
HistoryDisplay.from_estimator(folds, kind="accuracy", ax=right)
plt.show()

# %%
# The same as a data frame:

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
# The wrong answers of which the classifier was most sure, first.

from skorch_mnist.displays import MistakesDisplay

MistakesDisplay.from_estimator(clf, X_test, y_test, n_images=15)
plt.show()

# %%
# Confusions
# ----------
#
# Which digits are taken for which is what scikit-learn draws.

from sklearn.metrics import ConfusionMatrixDisplay

ConfusionMatrixDisplay.from_estimator(clf, X_test, y_test, cmap="Blues", colorbar=False)
plt.show()

# %%
# Reliability
# -----------
#
# Is an answer of which the classifier is sure to 80 % right in 80 of 100 cases? Points below the
# diagonal are answers given too confidently, points above it too timidly.

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
# Where on the image the decision comes from: a patch is hidden at each place in turn. Orange pixels
# spoke for the answer, blue ones against it.

from skorch_mnist.displays import AttributionDisplay

AttributionDisplay.from_estimator(clf, X_test[:10])
plt.show()
