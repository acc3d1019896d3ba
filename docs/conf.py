"""Sphinx configuration: ``sphinx-build -W docs docs/_build``."""

import functools
import importlib
import importlib.metadata
import inspect
import logging
import re

project = "mkfusion"
author = "mkfusion developers"
release = importlib.metadata.version("mkfusion")
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_gallery.gen_gallery",
]
myst_heading_anchors = 3  # links to sections by their titles
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "gallery"]
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings state types, with shapes
numpydoc_show_class_members = False  # _templates/autosummary/class.rst has their whole docstrings
toc_object_entries_show_parents = "hide"
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["wide.css"]  # 100 columns of code, as the examples have them
html_title = f"mkfusion {release}"
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", None),
    "numpy": ("https://numpy.org/doc/stable/", None),
    "scipy": ("https://docs.scipy.org/doc/scipy/", None),
    "sklearn": ("https://scikit-learn.org/stable/", None),
    "pandas": ("https://pandas.pydata.org/docs/", None),
    "matplotlib": ("https://matplotlib.org/stable/", None),
}
intersphinx_timeout = 10
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    # What plotting functions return is of no use to readers.
    "ignore_repr_types": r"matplotlib|Display",
    "remove_config_comments": True,
}
# Inherited docstrings point into scikit-learn's own pages, which are not there without network.
suppress_warnings = ["ref.ref", "ref.term"]


def is_about_the_network(record):
    """Whether a message says that no inventory of another package can be had."""
    return "failed to reach any of the inventories" in str(record.msg)


def leave_out(app, what, name, thing, skip, options):
    """Leave out of a class's page what its docstring lists already, or what is not ours to explain.

    That is metadata routing, and what exceptions, tuples and Gaussian processes bring along.
    """
    if isinstance(thing, property):
        function = inspect.unwrap(thing.fget)
        path = function.__qualname__.split(".")[:-1]
        owner = functools.reduce(getattr, path, importlib.import_module(function.__module__))
        listed = re.search(rf"^{name}\b", inspect.getdoc(owner) or "", flags=re.M)
        return None if is_ours(function) and not listed else True
    if not callable(thing) or inspect.isclass(thing):
        return True
    routing = name == "get_metadata_routing" or re.fullmatch("set_.*_request", name)
    return None if is_ours(inspect.unwrap(thing)) and not routing else True


def is_ours(function):
    """Whether this package wrote a function, or scikit-learn did for its estimators."""
    module = getattr(function, "__module__", None) or ""
    return module.startswith("mkfusion") or (
        module.startswith("sklearn") and not module.startswith("sklearn.gaussian_process")
    )


def setup(app):
    """Let the build pass where there is no network: links to other packages are then plain."""
    app.connect("autodoc-skip-member", leave_out)
    logging.getLogger("sphinx.sphinx.ext.intersphinx").addFilter(
        lambda record: not is_about_the_network(record)
    )
