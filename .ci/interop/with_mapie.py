"""MAPIE: sets of labels that contain the true one as often as asked."""
# requires: mapie

import mapie
from mapie.classification import SplitConformalClassifier
from mapie.metrics.classification import classification_coverage_score

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0)
clf.fit(X[:900], y[:900])
sets = SplitConformalClassifier(clf, confidence_level=0.9, prefit=True)
sets.conformalize(X[900:1350], y[900:1350])
_, members = sets.predict_set(X[1350:])
coverage = classification_coverage_score(y[1350:], members)[0]
assert coverage > 0.85, coverage
print("mapie", mapie.__version__)
