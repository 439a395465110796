"""Jupyter: bars, tables and diagrams in notebooks, and the pages of the gallery as notebooks."""
# requires: nbclient ipykernel ipywidgets sphinx-gallery matplotlib pandas

import os
import runpy
from pathlib import Path
from tempfile import TemporaryDirectory

import nbclient
import nbformat
from sphinx_gallery.notebook import python_to_jupyter_cli

DOCS = Path(__file__).parents[2] / "docs"
WIDGET = "application/vnd.jupyter.widget-view+json"
os.environ["SKORCH_MNIST_HOME"] = str(Path("no_data").absolute())  # pages use the bundled digits


def run(notebook):
    """Run a notebook in an empty folder; an error or a warning ends the script."""
    with TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3")
        client.execute(cwd=folder)
    for cell in notebook.cells:
        errors = [o.text for o in cell.get("outputs", []) if o.get("name") == "stderr"]
        assert not errors, (cell.source, errors)
    return notebook


def outputs_of(*cells):
    """Return the outputs of each cell of a new notebook."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    return [cell.outputs for cell in run(nbformat.v4.new_notebook(cells=cells)).cells]


def has_widget(outputs):
    """Return whether a bar is drawn by JupyterLab."""
    return any(WIDGET in output.get("data", {}) for output in outputs)


def first_words(outputs):
    """Return the first word of each line that is left when the bars have been drawn over."""
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    lines = [line.rpartition("\r")[2].split() for line in text.split("\n")]
    return [words[0] for words in lines if words]


DATA = (
    "from skorch.callbacks import ProgressBar\n"
    "from skorch_mnist import MNISTCNNClassifier, load_digits28\n"
    "X, y = load_digits28(return_X_y=True)"
)
TRAIN = "clf = MNISTCNNClassifier(max_epochs=3, verbose=2).fit(X, y)"
WITH_BAR_OF_SKORCH = "MNISTCNNClassifier(max_epochs=1, callbacks=[ProgressBar()]).fit(X, y);"
_, trained, shown, bar_of_skorch = outputs_of(DATA, TRAIN, "clf", WITH_BAR_OF_SKORCH)
_, _, without_ipywidgets = outputs_of("import sys; sys.modules['ipywidgets'] = None", DATA, TRAIN)
for outputs in (trained, without_ipywidgets):
    assert first_words(outputs) == ["epoch", "-------", "1", "2", "3"], outputs
assert has_widget(trained) and has_widget(bar_of_skorch)
assert not has_widget(without_ipywidgets)
assert "images/s" in "".join(output.text for output in without_ipywidgets)
assert "sk-estimator" in shown[0].data["text/html"]

settings = runpy.run_path(str(DOCS / "conf.py"))["sphinx_gallery_conf"]
for page in sorted((DOCS / "gallery").glob("plot_*.py")):
    Path(page.name).write_bytes(page.read_bytes())
    python_to_jupyter_cli([page.name], sphinx_gallery_conf=settings)
    notebook = nbformat.read(Path(page.name).with_suffix(".ipynb"), as_version=4)
    assert "pip install" in notebook.cells[0].source
    run(notebook)
print("nbclient", nbclient.__version__)
