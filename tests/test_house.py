"""The shape of the house: import directions, a light import, documented public names."""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import mkfusion

PACKAGE = Path(mkfusion.__file__).parent
REFERENCE = Path(__file__).parents[1] / "docs" / "api.md"
FILES = sorted(PACKAGE.rglob("*.py"))
TOP = "mkfusion"

# Part of the package -> the parts that it may import. A new part needs a line here.
MAY_IMPORT = {
    "_cache": set(),
    "modalities": set(),
    "kernels": {"modalities"},
    "solvers": set(),
    "_targets": set(),
    "mkl": {"_targets", "kernels", "solvers"},
    "_views": {"modalities", "kernels"},
    "cca": {"_views", "kernels", "modalities"},
    "fusion": {"_targets", "_views", "kernels", "modalities"},
    "datasets": {"modalities"},
    "inspection": {"_views", "kernels", "modalities"},
    "compare": {TOP, "_views", "datasets", "inspection", "modalities"},
    "cli": {TOP, "compare", "datasets"},
    TOP: {"_cache", "modalities", "kernels", "mkl", "cca", "fusion"},
}
# What users import from; the rest serves these.
SHOPS = {TOP, f"{TOP}.datasets", f"{TOP}.inspection", f"{TOP}.compare", f"{TOP}.cli"}
INNER_LOOPS = {
    "mkfusion.kernels.signals._alignment_loops",
    "mkfusion.kernels.stack._dense",
    "mkfusion.kernels.strings._string_loops",
    "mkfusion.kernels.stack._threads",
}
HEAVY = ("numba", "matplotlib", "pandas", "rich", "cvxpy")


def part_of(path: Path) -> str:
    """Name the part of the house that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return TOP if first == "__init__" else first


def module_of(path: Path) -> str:
    """Name the module that a file holds."""
    parts = (TOP, *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, wherever in the file."""
    module = module_of(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ""
            if node.level:
                start = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1])
            base = ".".join(name for name in (start, node.module) if name)
            # "from mkfusion import kernels" imports a part; "from mkfusion import X" the top.
            yield from (
                f"{base}.{alias.name}" if base == TOP and alias.name in MAY_IMPORT else base
                for alias in node.names
            )


each_file = pytest.mark.parametrize("path", FILES, ids=module_of)


@each_file
def test_imports_follow_the_data_flow(path):
    part = part_of(path)
    assert part in MAY_IMPORT, f"{part} is new: say in MAY_IMPORT what it may import"
    own = [name for name in imported(path) if name.split(".")[0] == TOP]
    used = {[*name.split("."), TOP][1] for name in own} - {part}
    assert used <= MAY_IMPORT[part], f"{module_of(path)} may not import {used - MAY_IMPORT[part]}"


@each_file
def test_numba_stays_in_inner_loops_and_scikit_learn_out_of_solvers(path):
    roots = {name.split(".")[0] for name in imported(path)}
    if part_of(path) == "solvers":
        assert not roots & {"sklearn", "joblib"}
    elif module_of(path) not in INNER_LOOPS:
        assert "numba" not in roots


@each_file
def test_a_file_is_not_two(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def _in_a_new_process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def test_import_loads_nothing_heavy():
    # scikit-learn itself imports some of them where they are installed.
    found = _in_a_new_process(
        "import sys, sklearn.svm; from_sklearn = set(sys.modules)\n"
        "import mkfusion, mkfusion.datasets\n"
        f"print([m for m in {HEAVY} if m in sys.modules.keys() - from_sklearn])"
    )
    assert found == "[]"


# ---------------------------------------------------------------------------- documentation


def public_objects() -> Iterator[tuple[str, object]]:
    """Everything that an ``__all__`` names, once."""
    seen = set()
    for path in FILES:
        module = importlib.import_module(module_of(path))
        if any(part.startswith("_") for part in module.__name__.split(".")):
            continue
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if (inspect.isclass(thing) or callable(thing)) and id(thing) not in seen:
                seen.add(id(thing))
                yield f"{module.__name__}.{name}", thing


def public_functions() -> Iterator[tuple[str, object]]:
    """Public functions, and public methods that this package wrote."""
    for name, thing in public_objects():
        if not inspect.isclass(thing):
            yield name, thing
            continue
        for attribute, member in vars(thing).items():
            function = member.__func__ if isinstance(member, classmethod) else member
            if not attribute.startswith("_") and inspect.isfunction(function):
                yield f"{name}.{attribute}", function


def sections(thing: object) -> dict[str, str]:
    """Split a numpydoc docstring into its sections."""
    pieces = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", inspect.getdoc(thing) or "", flags=re.M)
    return {"": pieces[0], **dict(zip(pieces[1::2], pieces[2::2], strict=True))}


def entries(section: str) -> dict[str, str]:
    """Names in a section and the type after the colon; an unnamed entry is its own type."""
    found = {}
    for line in re.findall(r"^(\S.*)$", section, flags=re.M):
        names, colon, kind = line.partition(" : ")
        if colon:
            found.update(dict.fromkeys((name.strip(" *") for name in names.split(",")), kind))
        else:
            found[line] = line
    return found


def undocumented_parameters(thing: object, section: str) -> set[str]:
    wanted = set(inspect.signature(thing).parameters) - {"self", "cls"}
    return wanted - entries(section).keys()


OBJECTS = dict(public_objects())
FUNCTIONS = dict(public_functions())
each_object = pytest.mark.parametrize("name", OBJECTS)
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def test_top_level_names_are_all_there():
    assert set(mkfusion.__all__) >= {
        "Modalities",
        "KernelStack",
        "Kernelizer",
        "ColumnKernelizer",
        "KernelCombiner",
        "MKLClassifier",
        "LinearKernel",
        "PolynomialKernel",
        "RBFKernel",
        "LaplacianKernel",
        "ChiSquaredKernel",
        "CosineKernel",
    }


def test_reference_lists_what_users_import():
    listed = re.findall(r"^ +(mkfusion\.\S+)$", REFERENCE.read_text(encoding="utf-8"), flags=re.M)
    wanted = [name for name in OBJECTS if name.rpartition(".")[0] in SHOPS - {f"{TOP}.cli"}]
    assert sorted(listed) == sorted(wanted)


@each_object
def test_public_name_says_what_it_is_and_shows_it(name):
    doc = sections(OBJECTS[name])
    assert doc[""].strip(), "no summary"
    if name.rpartition(".")[0] in SHOPS:
        assert ">>>" in doc.get("Examples", ""), "no runnable example"


@pytest.mark.parametrize("name", [name for name in OBJECTS if inspect.isclass(OBJECTS[name])])
def test_public_class_documents_parameters_and_attributes(name):
    thing = OBJECTS[name]
    doc = sections(thing)
    where = "Attributes" if issubclass(thing, tuple) else "Parameters"  # of a named tuple
    assert not undocumented_parameters(thing, doc.get(where, ""))
    if hasattr(thing, "fit") and not inspect.isabstract(thing):
        fitted = set(re.findall(r"self\.([a-z]\w*[a-z0-9]_)\b(?! *\()", inspect.getsource(thing)))
        assert fitted <= entries(doc.get("Attributes", "")).keys()


@each_function
def test_public_function_documents_what_goes_in_and_out(name):
    thing = FUNCTIONS[name]
    doc = sections(thing)
    assert doc[""].strip(), "no summary"
    assert not undocumented_parameters(thing, doc.get("Parameters", ""))
    source = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    kinds = {type(node) for node in ast.walk(source)}
    if any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(source)):
        assert "Returns" in doc or ast.Yield in kinds
    if ast.Raise in kinds:
        assert "Raises" in doc


@pytest.mark.parametrize("name", OBJECTS | FUNCTIONS)
def test_arrays_are_documented_with_their_shapes(name):
    thing = (OBJECTS | FUNCTIONS)[name]
    doc = sections(thing)
    for title in ("Parameters", "Attributes", "Returns"):
        for entry, kind in entries(doc.get(title, "")).items():
            if re.search(r"\b(ndarray|array|array-like)\b", kind):
                assert re.search(r"\(.*\)|scalar", kind), f"{title}: {entry} has no shape: {kind}"


@pytest.mark.parametrize("module", [module_of(path) for path in FILES])
def test_examples_in_docstrings(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    outcome = doctest.testmod(importlib.import_module(module), optionflags=flags)
    assert outcome.failed == 0
