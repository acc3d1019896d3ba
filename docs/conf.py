"""Sphinx configuration: ``sphinx-build -W docs docs/_build``."""

import importlib.metadata

project = "mkfusion"
author = "mkfusion developers"
release = importlib.metadata.version("mkfusion")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build"]
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings state types, with shapes
numpydoc_show_class_members = False
html_title = "mkfusion"
suppress_warnings = ["ref.ref"]  # inherited docstrings point into scikit-learn's own pages
