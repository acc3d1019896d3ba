"""The shape of the house: import directions, a light import, documented public names."""

import ast
import doctest
import importlib
import inspect
import io
import re
import subprocess
import sys
import textwrap
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import mkfusion

PACKAGE = Path(mkfusion.__file__).parent
REFERENCE = Path(__file__).parents[1] / "docs" / "api.md"
FILES = sorted(PACKAGE.rglob("*.py"))
TOP = "mkfusion"

# Part of the package -> the parts that it may import. A new part needs a line here.
EVERYWHERE = {
    "_types",
    "_compat",
    "_files",
    "_messages",
    "_parallel",
    "_repeated",
    "_sigmoids",
    "_survival",
}
MAY_IMPORT = {
    "_cache": set(),
    "_compat": set(),
    "_files": set(),
    "_messages": set(),
    "_parallel": set(),
    "_repeated": set(),
    "_sigmoids": set(),
    "_survival": set(),
    "_types": set(),
    "data": set(),
    "datasets": {"data"},
    "solvers": set(),
    "stack": {"data", "solvers"},
    "kernels": {"data", "stack"},
    "mkl": {"data", "kernels", "solvers", "stack"},
    "cca": {"data", "kernels", "stack"},
    "fusion": {"data", "kernels"},
    "inspection": {"cca", "data", "kernels", "mkl", "solvers", "stack"},
    "recordings": {"data", "solvers", "stack"},
    "report": set(),
    "compare": {TOP, "data", "inspection", "report"},
    "testing": {"kernels", "stack"},
    "cli": {TOP, "compare", "data", "datasets", "inspection", "kernels", "report", "stack"},
    "__main__": {"cli"},
    TOP: {"_cache"},
}
# What users import from; the rest serves these.
SHOPS = (TOP, f"{TOP}.datasets", f"{TOP}.inspection", f"{TOP}.compare", f"{TOP}.testing")
INNER_LOOPS = {
    "mkfusion.inspection._permuted_products",
    "mkfusion.kernels.signals._alignment",
    "mkfusion.kernels.signals._posterior",
    "mkfusion.kernels.strings._strings",
    "mkfusion.stack._dense",
    "mkfusion.stack._gaussian",
    "mkfusion.stack._look",
    "mkfusion.stack._several",
    "mkfusion.stack._threads",
}
HEAVY = ("numba", "matplotlib", "pandas", "rich", "cvxpy")
# What may be missing, or takes long to load and is needed by some commands only, is imported where
# it is used.
LATE = {
    "anndata",
    "dask",
    "matplotlib",
    "mne",
    "mudata",
    "ot",
    "pandas",
    "skops",
    "sksurv",
    "xarray",
}
# Where a command begins: each command loads what it needs.
ENTRANCES = {"mkfusion.cli"}
# What named tuples offer to everybody, whatever it is called
OF_NAMED_TUPLES = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}
MOST_LINES_OF_CODE, MOST_LINES_OF_A_FUNCTION = 500, 100


def part_of(path: Path) -> str:
    """Name the part of the house that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return TOP if first == "__init__" else first


def module_of(path: Path) -> str:
    """Name the module that a file holds."""
    parts = (TOP, *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def folder_of(module: str) -> str:
    """Name the folder that a module lies in; the face of a folder is the folder."""
    path = MODULES[module]
    return ".".join((TOP, *path.parent.relative_to(PACKAGE).parts))


MODULES = {module_of(path): path for path in FILES}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}


def imported(module: str) -> Iterator[str]:
    """Absolute names of all modules that a module imports, wherever in the file."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            base = str(node.module)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in MODULES else base


each_module = pytest.mark.parametrize("module", MODULES)


@each_module
def test_imports_follow_the_data_flow(module):
    part = part_of(MODULES[module])
    assert part in MAY_IMPORT, f"{part} is new: say in MAY_IMPORT what it may import"
    own = [name for name in imported(module) if name.split(".")[0] == TOP]
    used = {[*name.split("."), TOP][1] for name in own} - {part} - EVERYWHERE
    assert used <= MAY_IMPORT[part], f"{module} may not import {used - MAY_IMPORT[part]}"


@each_module
def test_other_parts_are_seen_by_their_face(module):
    part = part_of(MODULES[module])
    for name in imported(module):
        inner = name.split(".")
        if inner[0] == TOP and len(inner) > 2 and inner[1] != part:
            assert not any(step.startswith("_") for step in inner), f"{module} looks into {name}"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def _defined(tree: ast.Module) -> Iterator[str]:
    """Names of functions, methods and classes, of attributes that are set, and of variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                yield node.attr


OF_PART: dict[str, set[str]] = {}
for _module, _tree in TREES.items():
    OF_PART.setdefault(part_of(MODULES[_module]), set()).update(
        filter(_is_private, _defined(_tree))
    )


def _private_attributes_of_others(module: str) -> Iterator[str]:
    """Expressions ``thing._name`` that look into what no module of the same part defines."""
    own_classes = {n.name for n in ast.walk(TREES[module]) if isinstance(n, ast.ClassDef)}
    allowed = OF_PART[part_of(MODULES[module])] | OF_NAMED_TUPLES
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            owner = node.value.func if isinstance(node.value, ast.Call) else node.value
            name = owner.id if isinstance(owner, ast.Name) else ""
            if name not in {"self", "cls", "super", *own_classes} and node.attr not in allowed:
                yield f"line {node.lineno}: {ast.unparse(node)}"


@each_module
def test_private_attributes_are_used_by_their_own_part(module):
    if module != f"{TOP}._compat":
        assert list(_private_attributes_of_others(module)) == []


def _circles(arrows: dict[str, set[str]]) -> list[str]:
    """Return what can be reached from itself."""

    def reachable(start: str) -> set[str]:
        found: set[str] = set()
        left = set(arrows.get(start, ()))
        while left:
            one = left.pop()
            found.add(one)
            left |= arrows.get(one, set()) - found
        return found

    return sorted(one for one in arrows if one in reachable(one))


def test_no_circle_of_modules():
    arrows = {m: set(imported(m)) & MODULES.keys() for m in MODULES}
    assert _circles(arrows) == []


def test_no_circle_of_folders():
    # The face of a folder looks down into it; that is what a face is for.
    arrows: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        if path.name != "__init__.py":
            there = {folder_of(one) for one in imported(module) if one in MODULES and one != TOP}
            arrows.setdefault(folder_of(module), set()).update(there - {folder_of(module)})
    arrows.pop(TOP)  # what stands beside the folders: aliases and the like, and the top's own face
    assert _circles(arrows) == []


@each_module
def test_numba_stays_in_inner_loops_and_scikit_learn_out_of_solvers(module):
    roots = {name.split(".")[0] for name in imported(module)}
    if part_of(MODULES[module]) == "solvers":
        assert not roots & {"sklearn", "joblib"}
    elif module not in INNER_LOOPS:
        assert "numba" not in roots


@each_module
def test_private_names_of_scikit_learn_stand_in_one_file(module):
    if module == f"{TOP}._compat":
        return
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "sklearn":
            steps = [*str(node.module).split("."), *(alias.name for alias in node.names)]
            assert not any(step.startswith("_") for step in steps), ast.unparse(node)


@each_module
def test_imports_stand_at_the_top(module):
    if module in ENTRANCES:
        return
    for function in ast.walk(TREES[module]):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    name = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                    assert str(name).split(".")[0] in LATE, ast.unparse(node)


@each_module
def test_private_modules_do_not_list_their_names(module):
    if module.rpartition(".")[2].startswith("_"):
        assigned = [n for n in TREES[module].body if isinstance(n, ast.Assign)]
        assert "__all__" not in {getattr(n.targets[0], "id", "") for n in assigned}


def lines_of_code(module: str) -> set[int]:
    """Lines that are neither blank nor comment nor docstring."""
    source = MODULES[module].read_text(encoding="utf-8")
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in nothing and token.type != tokenize.ENDMARKER:
            code.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                code -= set(range(first.lineno, int(first.end_lineno or 0) + 1))
    return code


@each_module
def test_a_file_can_be_read_from_top_to_bottom(module):
    code = lines_of_code(module)
    assert len(code) <= MOST_LINES_OF_CODE
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.FunctionDef):
            inside = code & set(range(node.lineno, int(node.end_lineno or 0) + 1))
            assert len(inside) <= MOST_LINES_OF_A_FUNCTION, node.name


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
    """Everything that users import, once."""
    seen = set()
    for shop in SHOPS:
        module = importlib.import_module(shop)
        for name in module.__all__:
            thing = getattr(module, name)
            if (inspect.isclass(thing) or callable(thing)) and id(thing) not in seen:
                seen.add(id(thing))
                yield f"{shop}.{name}", thing


def public_functions() -> Iterator[tuple[str, object]]:
    """Public functions, and public methods that this package wrote, inherited ones included."""
    for name, thing in public_objects():
        if not inspect.isclass(thing):
            yield name, thing
            continue
        for attribute in dir(thing):
            member = inspect.unwrap(getattr(thing, attribute, None))
            function = getattr(member, "__func__", member)
            ours = getattr(function, "__module__", None) in MODULES
            if not attribute.startswith("_") and inspect.isfunction(function) and ours:
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
    assert sorted(listed) == sorted(OBJECTS)


@each_object
def test_public_name_says_what_it_is_and_shows_it(name):
    doc = sections(OBJECTS[name])
    assert doc[""].strip(), "no summary"
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


# What estimators are asked of samples, all of which are checked.
OF_SAMPLES = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")
OF_SAMPLES += ("score", "score_samples", "gate", "predict_modality")


@pytest.mark.parametrize("name", sorted(name for name in OBJECTS if inspect.isclass(OBJECTS[name])))
def test_methods_that_take_samples_say_what_they_refuse(name):
    for method in OF_SAMPLES:
        function = getattr(OBJECTS[name], method, None)
        if inspect.isfunction(function) and function.__module__.startswith(f"{TOP}."):
            assert "Raises" in sections(function), f"{method} raises, and does not say so"


# What refuses bad input, or says what is to be installed, by how it is called
REFUSES = re.compile(r"_?(check_|read_|axes_of$|as_frame$)")


@pytest.mark.parametrize("name", sorted(name for name in OBJECTS if inspect.isclass(OBJECTS[name])))
def test_methods_that_raise_say_so(name):
    for method in (one for one in dir(OBJECTS[name]) if not one.startswith("_")):
        function = getattr(OBJECTS[name], method)
        function = inspect.unwrap(getattr(function, "__func__", function))
        if not inspect.isfunction(function) or not function.__module__.startswith(f"{TOP}."):
            continue
        nodes = list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))))
        calls = [ast.unparse(one.func).split(".")[-1] for one in nodes if isinstance(one, ast.Call)]
        if any(isinstance(one, ast.Raise) for one in nodes) or any(map(REFUSES.match, calls)):
            assert "Raises" in sections(function), f"{method} raises, and does not say so"


@pytest.mark.parametrize("name", OBJECTS | FUNCTIONS)
def test_arrays_are_documented_with_their_shapes(name):
    thing = (OBJECTS | FUNCTIONS)[name]
    doc = sections(thing)
    for title in ("Parameters", "Attributes", "Returns"):
        for entry, kind in entries(doc.get(title, "")).items():
            if re.search(r"\b(ndarray|array|array-like)\b", kind):
                assert re.search(r"\(.*\)|scalar", kind), f"{title}: {entry} has no shape: {kind}"


@each_module
def test_examples_in_docstrings(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    outcome = doctest.testmod(importlib.import_module(module), optionflags=flags)
    assert outcome.failed == 0
