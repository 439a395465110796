"""imbalanced-learn: resampling in a pipeline, before the classifier."""
# requires: imbalanced-learn

import imblearn
import numpy as np
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0)
rare = np.concatenate([np.flatnonzero(y != 3), np.flatnonzero(y == 3)[:20]])
pipeline = make_pipeline(SMOTE(random_state=0), clf).fit(X[rare], y[rare])
assert pipeline.score(X, y) > 0.8
print("imbalanced-learn", imblearn.__version__)
