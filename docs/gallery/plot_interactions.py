"""
Do the modalities interact, or only add up?
===========================================

A sum of kernels of single modalities is additive fusion: what one modality says does not depend on
the others. Products of kernels are multiplicative fusion: what one says may turn with another.
`InteractionKernels` puts products beside the kernels, and multiple kernel learning weighs them all.
"""

# %%
# Neither sensor says anything alone
# ----------------------------------
# Two sensors, and an alarm when their deviations have the same sign, with some noise: the XOR
# problem. No sum of functions of single sensors can tell.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ColumnKernelizer,
    InteractionKernels,
    LinearKernel,
    MKLClassifier,
    Modalities,
    RBFKernel,
)
from mkfusion.datasets import load_mfeat

rng = np.random.default_rng(0)
left, right, noise = rng.normal(size=(3, 200, 1))
sensors = Modalities(left=left, right=right)
rules = {
    "multiplicative": left * right + 0.2 * noise > 0,
    "additive": left + np.sin(2 * right) + 0.2 * noise > 0,
}


def fusion(order, entries, normalize="center"):
    """Multiple kernel learning on kernels and their products up to an order."""
    return make_pipeline(
        ColumnKernelizer(entries, normalize=normalize),
        InteractionKernels(order, within_entries=False),
        MKLClassifier(C=10),
    )


entries = [(name, [LinearKernel(), RBFKernel()], name) for name in sensors.names]
learned = {}
for rule, alarm in rules.items():
    scores = [cross_val_score(fusion(o, entries), sensors, alarm.ravel()).mean() for o in (1, 2)]
    learned[rule] = fusion(2, entries).fit(sensors, alarm.ravel())
    print(f"{rule:15s} accuracy {scores[0]:.2f} by sums, {scores[1]:.2f} with products")

# %%
# The weights say which it was.


def show_weights(ax, model, title):
    """Draw the weights of the kernels, products in another colour."""
    names, weights = model[-1].kernel_names_, model[-1].weights_
    colours = ["tab:orange" if " * " in name else "tab:blue" for name in names]
    ax.barh(names, weights, color=colours)
    ax.set(title=title, xlabel="weight", xlim=(0, 1))


fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
for ax, (rule, model) in zip(axes, learned.items(), strict=True):
    show_weights(ax, model, f"{rule} alarm")

# %%
# Where the answer is not known, the order is searched like any parameter. Order 1 is additive.

search = GridSearchCV(fusion(1, entries), {"interactionkernels__order": [1, 2]})
search.fit(sensors, rules["multiplicative"].ravel())
print(search.best_params_)

# %%
# Handwritten digits
# ------------------
# Three descriptions of 500 digits: Karhunen-Loève coefficients, Zernike moments and a few
# morphological features. Do they interact?

views, digit = load_mfeat(return_X_y=True)
some = rng.permutation(len(digit))[:500]
X, y = views[some], digit[some]
radial = make_pipeline(StandardScaler(), RBFKernel())
entries = [(name, radial, name) for name in ("kar", "zer", "mor")]
folds = StratifiedKFold(5, shuffle=True, random_state=0)
digits = {}
for normalize in ("center", "cosine"):
    for order in (1, 2, 3):
        model = fusion(order, entries, normalize)
        accuracy = cross_val_score(model, X, y, cv=folds).mean()
        weights = model.fit(X, y)[-1].weights_
        print(
            f"{normalize}, order {order}: accuracy {accuracy:.3f}, "
            f"weight of products {weights[3:].sum():.2f}"
        )
        digits[normalize] = model

# %%
# Products do not help: what the descriptions say about a digit adds up. The weights of *centred*
# kernels say so too. Those of kernels that were only scaled say the opposite at the same accuracy:
# an RBF kernel has a nearly constant feature, whose product with another kernel is nearly that
# kernel. Products can then stand for sums, and take all the weight. Whoever asks what the weights
# mean must centre the kernels.

fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
for ax, (normalize, model) in zip(axes, digits.items(), strict=True):
    show_weights(ax, model, f'normalize="{normalize}"')

# %%
# The Gram matrices of two descriptions and of their product, samples sorted by digit: similar by
# both.

by_digit = X[np.argsort(y, kind="stable")]
stack = ColumnKernelizer(entries, normalize="center").fit_transform(by_digit)
products = InteractionKernels(within_entries=False).fit_transform(stack)
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
starts = np.searchsorted(y[np.argsort(y)], np.arange(10))
for ax, name in zip(axes, ["kar:rbf", "zer:rbf", "kar:rbf * zer:rbf"], strict=True):
    gram = products.gram(name)
    limit = np.quantile(abs(gram), 0.98)
    ax.imshow(gram, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(title=name, xticks=[], yticks=[])
axes[0].set_yticks(starts, np.arange(10))
plt.show()
