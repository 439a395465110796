"""
Use the classifier in scikit-learn
==================================

This page uses ``MNISTCNNClassifier`` in everything in scikit-learn that takes a classifier. All of
its code was run to make the page, on a part of the scikit-learn digits and with few epochs. The
table at the end names the test of each feature.
"""

# %%
# The data are 28x28 images. ``quick`` is the classifier that the examples use.

import numpy as np
from sklearn.model_selection import train_test_split

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, train_size=400, stratify=y, random_state=0)
quick = MNISTCNNClassifier(max_epochs=8, lr=3e-3, batch_size=32, random_state=0, verbose=0)

# %%
# Pipelines
# ---------
# The classifier learns the scale of the pixels itself. Use a transformer in front of it for
# anything else.

from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

pipeline = make_pipeline(MinMaxScaler(), PCA(100), quick).fit(X, y)
print(f"pipeline on 100 principal components: {pipeline.score(X_test, y_test):.3f}")

# %%
# A ``ColumnTransformer`` takes a data frame, and labels may be strings.

import pandas as pd
from sklearn.compose import ColumnTransformer

frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(784)]).assign(writer="unknown")
pixels = ColumnTransformer([("pixels", "passthrough", [f"pixel{i}" for i in range(784)])])
words = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
print(make_pipeline(pixels, quick).fit(frame, words[y]).predict(frame[:3]))

# %%
# Cross-validation
# ----------------

from sklearn.model_selection import (
    cross_val_predict,
    cross_validate,
    learning_curve,
    validation_curve,
)

scores = cross_validate(quick, X, y, cv=3, scoring=["accuracy", "neg_log_loss"], n_jobs=2)
print({name: values.mean().round(3) for name, values in scores.items()})
print(cross_val_predict(quick, X, y, cv=3, method="predict_proba").shape)
sizes, _, scores = learning_curve(quick, X, y, cv=3, train_sizes=[0.5, 1.0])
print(dict(zip(sizes.tolist(), scores.mean(axis=1).round(3).tolist(), strict=True)))
_, scores = validation_curve(
    quick, X, y, cv=3, param_name="module__dropout", param_range=[0.2, 0.8]
)
print(scores.mean(axis=1).round(3))

# %%
# Searches
# --------
# You can search any parameter, including those of the network, the optimizer and the callbacks.
# Successive halving can use epochs as its resource: ``resource="max_epochs"``.

from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV

grid = {"lr": [1e-4, 3e-3], "module__dropout": [0.2, 0.5]}
print(GridSearchCV(quick, grid, cv=2, n_jobs=2).fit(X, y).best_params_)
space = {"lr": [1e-4, 3e-3], "optimizer__weight_decay": [0.0, 1e-4]}
print(RandomizedSearchCV(quick, space, n_iter=3, cv=2, random_state=0).fit(X, y).best_params_)
halving = HalvingGridSearchCV(
    quick,
    grid,
    resource="max_epochs",
    min_resources=2,
    max_resources=8,
    factor=2,
    cv=2,
    random_state=0,
)
print(halving.fit(X, y).best_params_)

# %%
# Ensembles and calibration
# -------------------------

from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

linear = make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000))
members = [("cnn", quick), ("linear", linear)]
for ensemble in (
    StackingClassifier(members, cv=2),
    VotingClassifier(members, voting="soft"),
    BaggingClassifier(quick, n_estimators=2, random_state=0),
    AdaBoostClassifier(quick, n_estimators=2, random_state=0),
    OneVsRestClassifier(quick),
    CalibratedClassifierCV(quick, method="temperature", cv=2),
):
    print(f"{type(ensemble).__name__:<24}{ensemble.fit(X, y).score(X_test, y_test):.3f}")

# %%
# Features
# --------
# The classifier is a transformer, too. ``transform`` returns what its last layer gets: 50 features
# of each image, which other estimators can use. ``features_before`` names another layer, and
# ``set_output`` makes data frames, for which pandas or polars must be installed.

from sklearn.base import clone
from sklearn.naive_bayes import GaussianNB

pixels, features = GaussianNB(), make_pipeline(quick, GaussianNB())
print(f"naive Bayes on pixels:   {pixels.fit(X, y).score(X_test, y_test):.3f}")
print(f"naive Bayes on features: {features.fit(X, y).score(X_test, y_test):.3f}")
to_frame = clone(quick).set_params(features_before="hidden").set_output(transform="pandas")
print(to_frame.fit_transform(X, y).iloc[:2, :3])

# %%
# Thresholds, self-training and frozen classifiers
# ------------------------------------------------

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.semi_supervised import SelfTrainingClassifier

tuned = TunedThresholdClassifierCV(quick, cv=2, scoring="f1").fit(X, y == 3)
print(f"threshold for threes: {tuned.best_threshold_:.3f}")
half_labelled = np.where(np.arange(len(y)) % 2, y, -1)
taught = SelfTrainingClassifier(quick).fit(X, half_labelled)
print(f"half of the labels: {taught.score(X_test, y_test):.3f}")
frozen = FrozenEstimator(quick.fit(X, y))
calibrated = CalibratedClassifierCV(frozen).fit(X_test[:500], y_test[:500])
print(f"frozen and calibrated: {calibrated.score(X_test[500:], y_test[500:]):.3f}")

# %%
# Weights and metadata routing
# ----------------------------
# ``class_weight`` is a parameter. ``sample_weight`` is routed to the estimators that request it.

import sklearn

with sklearn.config_context(enable_metadata_routing=True):
    weighted = make_pipeline(MinMaxScaler(), clone(quick).set_fit_request(sample_weight=True))
    weighted.fit(X, y, sample_weight=np.where(y == 3, 10.0, 1.0))
print(f"threes found: {(weighted.predict(X_test[y_test == 3]) == 3).mean():.3f}")

# %%
# Inspection
# ----------

import matplotlib.pyplot as plt
from sklearn.inspection import permutation_importance
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay

print(permutation_importance(quick, X[:50], y[:50], n_repeats=1).importances_mean.shape)
_, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
ConfusionMatrixDisplay.from_estimator(quick, X_test, y_test, ax=left, colorbar=False)
RocCurveDisplay.from_estimator(tuned, X_test, y_test == 3, ax=right)
plt.show()

# %%
# Callbacks of scikit-learn
# -------------------------
# From version 1.9 on, the callbacks of scikit-learn see every epoch, like those of skorch.

try:
    from sklearn.callback import ScoringMonitor
except ImportError:
    print("this scikit-learn has no callbacks")
else:
    monitor = ScoringMonitor(scoring="accuracy")
    quick.set_callbacks(monitor).fit(X, y)
    print([round(entry["accuracy"], 3) for entry in monitor.get_logs().data])

# %%
# Tests of these features
# -----------------------
#
# .. list-table::
#    :header-rows: 1
#
#    * - feature
#      - test
#    * - all estimator checks of scikit-learn
#      - ``test_estimator_checks.py``
#    * - ``Pipeline``, ``ColumnTransformer``
#      - ``test_compositions.py``: ``test_pipeline_with_a_transformer_in_front``,
#        ``test_column_transformer_on_a_frame``
#    * - ``cross_val_score`` with two processes and two threads
#      - ``test_two_workers_give_the_scores_of_one``
#    * - ``cross_validate`` with several scorers, ``cross_val_predict``
#      - ``test_cross_validate_with_several_scorers``, ``test_cross_val_predict``
#    * - ``learning_curve``, ``validation_curve``
#      - ``test_learning_and_validation_curve``
#    * - ``GridSearchCV``, ``RandomizedSearchCV``
#      - ``test_grid_search_in_a_pipeline``, ``test_randomized_search``
#    * - ``HalvingGridSearchCV``, ``HalvingRandomSearchCV``
#      - ``test_halving_search_over_epochs``
#    * - ``CalibratedClassifierCV``: sigmoid, isotonic, temperature; ``FrozenEstimator``
#      - ``test_calibration``, ``test_calibration_of_a_frozen_classifier``
#    * - ``StackingClassifier``, ``VotingClassifier``
#      - ``test_stacking_and_voting``
#    * - ``BaggingClassifier``, ``AdaBoostClassifier``
#      - ``test_bagging_and_boosting``
#    * - ``transform``, ``set_output``, ``get_feature_names_out``
#      - ``test_features.py``
#    * - ``OneVsRestClassifier``
#      - ``test_one_against_the_rest``
#    * - ``SelfTrainingClassifier``
#      - ``test_self_training``
#    * - ``TunedThresholdClassifierCV``
#      - ``test_tuned_threshold``
#    * - ``permutation_importance``
#      - ``test_permutation_importance_finds_the_pixels_that_matter``
#    * - ``ConfusionMatrixDisplay``, ``RocCurveDisplay``, the HTML diagram
#      - ``test_displays``, ``test_html_diagram``
#    * - metadata routing through ``Pipeline``, ``cross_validate``, ``GridSearchCV``
#      - ``test_sample_weight_is_routed``, ``test_unrequested_weights_are_refused``
#    * - pickle, joblib, cloudpickle, deepcopy
#      - ``test_pickles_in_every_state_of_life``, ``test_classifier.py``:
#        ``test_round_trips_of_fitted_and_unfitted``
#    * - ``ProgressBar``, ``ScoringMonitor`` of scikit-learn 1.9
#      - ``test_sklearn_callbacks.py``
