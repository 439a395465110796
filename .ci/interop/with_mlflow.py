"""MLflow: autolog, skops and model files, in single fits and in searches with two processes."""
# requires: mlflow skops

import pathlib

import mlflow
import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import skops.io
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skorch_mnist import MNISTCNNClassifier, load_digits28
from skorch_mnist.cli import main

mlflow.set_tracking_uri(f"sqlite:///{pathlib.Path.cwd()}/mlflow.db")
X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=2, random_state=0, verbose=0).fit(X, y)
expected = clf.predict_proba(X)

skops.io.dump(clf, "digits.skops")
types = skops.io.get_untrusted_types(file="digits.skops")  # look at them
info = mlflow.sklearn.log_model(
    clf, name="digits", serialization_format="skops", skops_trusted_types=types
)
again = mlflow.sklearn.load_model(info.model_uri)
np.testing.assert_array_equal(again.predict_proba(X), expected)

clf.save("model.safetensors")
code = pathlib.Path("model_code.py")
code.write_text(
    "import mlflow, numpy\n"
    "from mlflow.pyfunc import PythonModel\n"
    "from skorch_mnist import MNISTCNNClassifier\n"
    "class OfModelFile(PythonModel):\n"
    "    def load_context(self, context):\n"
    "        self.clf = MNISTCNNClassifier.load(context.artifacts['model'])\n"
    "    def predict(self, context, model_input, params=None):\n"
    "        return self.clf.predict_proba(numpy.asarray(model_input))\n"
    "mlflow.models.set_model(OfModelFile())\n"
)
info = mlflow.pyfunc.log_model(  # the class is stored as code: no pickle
    name="of_file", python_model=str(code), artifacts={"model": "model.safetensors"}
)
np.testing.assert_array_equal(mlflow.pyfunc.load_model(info.model_uri).predict(X), expected)

mlflow.sklearn.autolog(log_models=False, silent=True)
with mlflow.start_run() as run:
    # Autologging only covers the classes of scikit-learn, such as pipelines.
    make_pipeline(MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0)).fit(X, y)
logged = mlflow.get_run(run.info.run_id).data
assert logged.params["mnistcnnclassifier__max_epochs"] == "1", logged.params
assert "training_accuracy_score" in logged.metrics, logged.metrics
with mlflow.start_run() as run:
    quick = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0)
    GridSearchCV(quick, {"lr": [1e-3, 3e-3]}, cv=2, n_jobs=2).fit(X, y)
logged = mlflow.get_run(run.info.run_id).data
assert "best_lr" in logged.params and "best_cv_score" in logged.metrics

arguments = ["train", "--dataset", "digits", "--max-epochs", "1"]
assert main(arguments) == 0
with mlflow.start_run() as run:  # one line logs the folder of a run of the command line
    mlflow.log_artifacts("skorch_mnist_output")
files = {file.path for file in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)}
assert {"README.md", "metrics.json", "model.safetensors"} <= files
print("mlflow", mlflow.__version__)
