"""Jupyter: bars, tables and diagrams in notebooks, and the pages of the gallery as notebooks."""
# requires: nbclient ipykernel ipywidgets sphinx-gallery matplotlib pandas

import os
import shutil
from pathlib import Path

import nbclient
import nbformat
from sphinx_gallery.notebook import python_to_jupyter_cli

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"
os.environ["SKORCH_MNIST_HOME"] = "no_data"  # pages use the bundled digits


def run(notebook):
    """Run a notebook in this folder, and return it with its outputs; an error ends the script."""
    return nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()


def outputs_of(*cells):
    """Return the outputs of each cell of a new notebook."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    return [cell.outputs for cell in run(nbformat.v4.new_notebook(cells=cells)).cells]


_, trained, shown, bar_of_skorch = outputs_of(
    "from skorch.callbacks import ProgressBar\n"
    "from skorch_mnist import MNISTCNNClassifier, load_digits28\n"
    "X, y = load_digits28(return_X_y=True)",
    "clf = MNISTCNNClassifier(max_epochs=3, verbose=2).fit(X, y)",
    "clf",
    "MNISTCNNClassifier(max_epochs=1, callbacks=[ProgressBar()]).fit(X, y);",
)
table = "".join(output.text for output in trained if output.output_type == "stream")
lines = [line.split()[0] for line in table.splitlines()]
assert lines == ["epoch", "-------", "1", "2", "3"], table
assert "sk-estimator" in shown[0].data["text/html"]
WIDGET = "application/vnd.jupyter.widget-view+json"
for outputs in (trained, bar_of_skorch):
    assert any(WIDGET in output.get("data", {}) for output in outputs), outputs
    assert not [output for output in outputs if output.get("name") == "stderr"], outputs

for page in sorted(GALLERY.glob("plot_*.py")):
    shutil.copy(page, ".")
    python_to_jupyter_cli([page.name])
    run(nbformat.read(page.with_suffix(".ipynb").name, as_version=4))
print("nbclient", nbclient.__version__)
