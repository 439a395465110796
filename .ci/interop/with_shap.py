"""SHAP: the permutation explainer on the probabilities."""
# requires: shap

import numpy as np
import shap

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0)
clf.fit(X, y)
masker = shap.maskers.Independent(X[:10])
explainer = shap.PermutationExplainer(clf.predict_proba, masker)
explanation = explainer(X[:2], max_evals=2 * X.shape[1] + 1)
assert explanation.values.shape == (2, 784, 10)
whole = explanation.base_values + explanation.values.sum(axis=1)
np.testing.assert_allclose(whole, clf.predict_proba(X[:2]), atol=1e-6)
print("shap", shap.__version__)
