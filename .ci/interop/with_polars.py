"""polars and Arrow: one column per pixel, and features as a data frame."""
# requires: polars pyarrow

import numpy as np
import polars as pl
import pyarrow as pa

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
frame = pl.DataFrame(X, schema=[f"pixel{number}" for number in range(784)])
clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0)
clf.fit(frame, y)
assert clf.feature_names_in_[0] == "pixel0"
table = pa.table({name: X[:, number] for number, name in enumerate(frame.columns)})
np.testing.assert_array_equal(clf.predict_proba(frame), clf.predict_proba(table))
features = clf.set_output(transform="polars").transform(frame[:100])
assert isinstance(features, pl.DataFrame) and features.shape == (100, 50)
print("polars", pl.__version__, "pyarrow", pa.__version__)
