"""Sphinx configuration: ``sphinx-build -W docs docs/_build``."""

import importlib.metadata

project = "mkfusion"
author = "mkfusion developers"
release = importlib.metadata.version("mkfusion")
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
myst_heading_anchors = 2  # links to sections by their titles
exclude_patterns = ["_build", "gallery"]
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings state types, with shapes
numpydoc_show_class_members = False
html_title = "mkfusion"
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
}
suppress_warnings = ["ref.ref"]  # inherited docstrings point into scikit-learn's own pages
