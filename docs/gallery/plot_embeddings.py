"""
A frozen text encoder beside numbers
====================================

An encoder that was trained elsewhere turns texts into vectors. These are one modality among others:
here descriptions of functions are fused with numbers about their code, to guess what a function's
name begins with (*get*, *is*, *set*, ...). And before any label is looked at, the similarity of the
two kernels says how much the modalities have in common.
"""

# %%
# Functions of the standard library
# ---------------------------------
# Every Python has them, with a description in words (the docstring) and code that can be counted:
# arguments, branches, loops, what is returned. The name begins with one of seven verbs.

import ast
import re
import sysconfig
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import ColumnKernelizer, CosineKernel, MKLClassifier, Modalities, RBFKernel

VERBS = ["add", "find", "get", "is", "parse", "read", "set"]
SKIPPED = {"test", "tests", "site-packages", "dist-packages", "lib2to3", "idlelib", "distutils"}


def described_functions(folder):
    """Yield (function, description, file) of all Python files in a folder."""
    for file in sorted(Path(folder).rglob("*.py")):
        where = file.relative_to(folder)
        if SKIPPED.isdisjoint(where.parts):
            for node in ast.walk(ast.parse(file.read_bytes())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    description = ast.get_docstring(node) or ""
                    if len(description.split()) >= 8:
                        yield node, description, str(where)


def code_numbers(function):
    """Count what stands in a function, its description excepted."""
    nodes = [node for statement in function.body[1:] for node in ast.walk(statement)]

    def count(*kinds):
        return sum(isinstance(node, kinds) for node in nodes)

    returned = [node.value for node in nodes if isinstance(node, ast.Return) and node.value]
    stored = [node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Store)]
    return {
        "arguments": len(function.args.args) + len(function.args.kwonlyargs),
        "defaults": len(function.args.defaults),
        "decorators": len(function.decorator_list),
        "statements": count(ast.stmt),
        "loops": count(ast.For, ast.While, ast.comprehension),
        "branches": count(ast.If, ast.IfExp),
        "comparisons": count(ast.Compare),
        "calls": count(ast.Call),
        "subscripts": count(ast.Subscript),
        "raises": count(ast.Raise),
        "tries": count(ast.Try),
        "returns": len(returned),
        "conditions returned": sum(isinstance(v, ast.Compare | ast.BoolOp) for v in returned),
        "constants returned": sum(isinstance(v, ast.Constant) for v in returned),
        "attributes set": sum(isinstance(node, ast.Attribute) for node in stored),
        "items set": sum(isinstance(node, ast.Subscript) for node in stored),
    }


found = {}
for function, description, file in described_functions(sysconfig.get_paths()["stdlib"]):
    verb = re.match("_*([a-z]*)", function.name).group(1)
    if verb in VERBS:  # the first of several with the same description
        found.setdefault(description, (verb, file, code_numbers(function)))

descriptions = list(found)
verbs, files, counts = (np.array(column) for column in zip(*found.values(), strict=True))
code = np.log1p(pd.DataFrame(list(counts)))
X = Modalities(description=descriptions, code=code)
print(X)
print(pd.Series(verbs).value_counts().to_string())

# %%
# An encoder from elsewhere
# -------------------------
# It has never seen the standard library: word weights and 200 dimensions are learned from NumPy's
# documentation. From then on it is frozen, like the network that would stand here in earnest, and
# ``FrozenEstimator`` keeps every fit of the pipeline from changing it.

elsewhere = [description for _, description, _ in described_functions(Path(np.__file__).parent)]
encoder = make_pipeline(
    TfidfVectorizer(min_df=2, max_df=0.5, sublinear_tf=True, token_pattern="[a-z]{2,}"),
    TruncatedSVD(200, random_state=0),
).fit(elsewhere)
print(f"trained on {len(elsewhere)} descriptions, used on {len(descriptions)}")

by_cosine = make_pipeline(FrozenEstimator(encoder), CosineKernel())
by_distance = make_pipeline(FrozenEstimator(encoder), RBFKernel())
by_code = make_pipeline(StandardScaler(), RBFKernel())

# %%
# What a frozen encoder makes of a text depends on nothing else, so its vectors may as well be
# computed once, before any split. With a large one that is the way, in two lines, and the kernels
# then stand without a pipeline:
#
# .. code-block:: python
#
#     vectors = SentenceTransformer("all-MiniLM-L6-v2").encode(descriptions)
#     X = Modalities(description=vectors, code=code)

# %%
# Alone and together
# ------------------
# Files are kept together in cross-validation, as functions in one file resemble each other.
# Guessing has a balanced accuracy of 1/7.

cosine_entry = ("description", by_cosine, "description")
rbf_entry = ("description", by_distance, "description")
code_entry = ("code", by_code, "code")
candidates = {
    "code": [code_entry],
    "descriptions, cosine": [cosine_entry],
    "descriptions, cosine, and code": [cosine_entry, code_entry],
    "descriptions, RBF": [rbf_entry],
    "descriptions, RBF, and code": [rbf_entry, code_entry],
}
cv = StratifiedGroupKFold(5, shuffle=True, random_state=0)
for name, kernels in candidates.items():
    model = make_pipeline(ColumnKernelizer(kernels), MKLClassifier(class_weight="balanced"))
    scores = cross_val_score(model, X, verbs, cv=cv, groups=files, scoring="balanced_accuracy")
    print(f"{name:32}{scores.mean():.2f}")

model.fit(X, verbs)
print(dict(zip(model[-1].kernel_names_, model[-1].weights_.round(2).tolist(), strict=True)))

# %%
# How much the modalities agree
# -----------------------------
# Two modalities are coordinated when the same samples are similar in both. Two measures, neither of
# which needs labels or compares the vectors themselves: the alignment of the centred kernels (their
# cosine as long vectors), and the share of a sample's ten nearest neighbours in one modality that
# are also among its ten nearest in the other. Both are read against chance: the same with the
# functions of one modality shuffled.

kernelizer = ColumnKernelizer(
    [("description", [by_cosine, by_distance], "description"), code_entry], normalize="center"
)
stack = kernelizer.fit_transform(X)
cosine, distance, numbers = (stack.gram(k) for k in range(3))
same_verb = verbs[:, None] == verbs


def alignment(left, right):
    return np.sum(left * right) / np.sqrt(np.sum(left**2) * np.sum(right**2))


def neighbours(gram, k=10):
    # The nearest by the distance k(x, x) - 2 k(x, z) + k(z, z)
    closeness = 2.0 * gram - np.diagonal(gram)
    np.fill_diagonal(closeness, -np.inf)
    nearest = np.zeros(gram.shape, dtype=bool)
    np.put_along_axis(nearest, np.argsort(-closeness, axis=1)[:, :k], True, axis=1)
    return nearest


def shared_neighbours(left, right):
    return np.mean(neighbours(left)[neighbours(right)])


rng = np.random.default_rng(0)
print(f"{'':36}{'alignment':>10}{'chance':>8}{'neighbours':>12}{'chance':>8}")
for name, gram in {"cosine": cosine, "RBF": distance}.items():
    shuffles = [rng.permutation(len(verbs)) for _ in range(20)]
    chance = np.array(
        [
            (alignment(gram, numbers[np.ix_(s, s)]), shared_neighbours(gram, numbers[np.ix_(s, s)]))
            for s in shuffles
        ]
    ).mean(axis=0)
    print(
        f"descriptions ({name}) and code{'':{9 - len(name)}}"
        f"{alignment(gram, numbers):>10.3f}{chance[0]:>8.3f}"
        f"{shared_neighbours(gram, numbers):>12.3f}{chance[1]:>8.3f}"
    )

# %%
# They agree more than by chance, and far less than two kernels of one modality do: neither could
# stand for the other. The matrices of both, with the functions sorted by verb, and the alignments
# of all kernels with each other and with the verbs.

order = np.argsort(verbs, kind="stable")
names, sizes = np.unique(verbs, return_counts=True)
ends = np.cumsum(sizes)
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, title, gram in zip(axes[:2], ["descriptions", "code"], [cosine, numbers], strict=True):
    limit = np.quantile(np.abs(gram), 0.97)
    ax.imshow(gram[np.ix_(order, order)], cmap="RdBu_r", vmin=-limit, vmax=limit)
    for end in ends[:-1]:
        ax.axhline(end - 0.5, color="black", linewidth=0.6)
        ax.axvline(end - 0.5, color="black", linewidth=0.6)
    ax.set(title=f"{title}, centred", xticks=ends - sizes / 2, yticks=[])
    ax.set_xticklabels(names, rotation=60)

compared = {"cosine": cosine, "RBF": distance, "code": numbers}
centre = np.eye(len(verbs)) - 1.0 / len(verbs)
compared["verbs"] = centre @ same_verb @ centre
table = np.array([[alignment(a, b) for b in compared.values()] for a in compared.values()])
axes[2].imshow(table, vmin=0, vmax=1)
for (i, j), value in np.ndenumerate(table):
    axes[2].text(
        j, i, f"{value:.2f}", ha="center", va="center", color="black" if value > 0.5 else "white"
    )
axes[2].set(title="alignment", xticks=range(4), yticks=range(4))
axes[2].set_xticklabels(compared)
axes[2].set_yticklabels(compared)
plt.show()
