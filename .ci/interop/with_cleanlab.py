"""cleanlab: finds wrong labels by out-of-sample probabilities."""
# requires: cleanlab

import cleanlab
import numpy as np
from cleanlab.filter import find_label_issues
from sklearn.model_selection import cross_val_predict

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0)
noisy, wrong = y.copy(), np.arange(0, len(y), 60)
noisy[wrong] = (noisy[wrong] + 1) % 10
proba = cross_val_predict(clf, X, noisy, cv=3, method="predict_proba")
found = find_label_issues(noisy, proba)
assert found[wrong].mean() > 0.8 and found.mean() < 0.1, (found[wrong].mean(), found.mean())
print("cleanlab", cleanlab.__version__)
