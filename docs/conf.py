"""Sphinx configuration. The build needs no network."""

import re

import skorch_mnist

project = "skorch_mnist"
author = "the skorch_mnist developers"
copyright = f"2026, {author}"
version = release = skorch_mnist.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery"]
templates_path: list[str] = []

autosummary_generate = False
autodoc_typehints = "none"  # numpydoc's sections state the types
numpydoc_show_class_members = False

myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": ["gallery"],
    "gallery_dirs": ["auto_examples"],
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "capture_repr": (),  # pages show what is printed and plotted, nothing else
    "first_notebook_cell": '%pip install --quiet "skorch_mnist[plot]" pandas',
}

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_title = f"skorch_mnist {version}"
html_theme_options = {
    "header_links_before_dropdown": 4,
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"**": []}


def link_to_pages(app, docname, source):
    """Let links to programs of the gallery, which work on GitHub, lead to their pages."""
    page = re.sub(r"\(\.\./gallery/(\w+)\.py\)", r"(../auto_examples/\1.rst)", source[0])
    source[0] = page.replace("(../gallery)", "(../auto_examples/index.rst)")


def setup(app):
    app.connect("source-read", link_to_pages)
