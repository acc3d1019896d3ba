"""
When to fuse, and what is left of it without interactions
=========================================================

Early, late, or somewhere between? One can let the data choose, if the choice is made inside the
folds. Here is what is chosen how often, what that scores, and which of several models owe their
score to interactions between modalities.
"""

# %%
# A target that adds up, one that does not, and noise
# ---------------------------------------------------
# Two sensors, of two columns each. One target is a sum of what either says; of the other, the
# second sensor decides what the first means. The last has nothing to do with them.

import matplotlib.pyplot as plt
import numpy as np

from mkfusion import (
    FusionSearchCV,
    GatedFusionRegressor,
    InteractionRegressor,
    LateFusionRegressor,
    Modalities,
    ModalityShiftRegressor,
)
from mkfusion.compare import fusion_choices
from mkfusion.inspection import emap_table

rng = np.random.default_rng(0)
a, b = rng.normal(size=(2, 150, 2))
X = Modalities(first=a, second=b)
noise = 0.5 * rng.normal(size=150)
targets = {"sum": a[:, 0] + b[:, 0] + noise, "product": a[:, 0] * b[:, 0] + noise}
unrelated = rng.normal(size=150)

# %%
# The search
# ----------
# The candidates are methods of :func:`mkfusion.compare_fusion`, the simplest first. In each outer
# fold the whole search is done on the training samples; what it chose is scored on the others.

candidates = ["early", "late_mean", "uniform", "products"]
search = FusionSearchCV(candidates, task="regression", cv=3, fast=True)
outcomes = {name: fusion_choices(search, X, y, cv=5) for name, y in targets.items()}
outcomes["noise"] = fusion_choices(search, X, unrelated, cv=5)
for name, outcome in outcomes.items():
    print(f"{name}:\n{outcome}\n")

# %%
# Where modalities add up, the sum of kernels is chosen on every fold, and where they interact,
# products of kernels are. Of noise the choice changes from fold to fold: then it is a matter of
# luck, and says nothing about the data.

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
left = np.zeros(3)
for key in candidates:
    counts = np.array([outcome.frequency[key] for outcome in outcomes.values()])
    ax.barh(list(outcomes), counts, left=left, label=key)
    left += counts
ax.set(xlabel="outer folds on which it was chosen", ylabel="target")
ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.25), ncols=4, fontsize="small")

# %%
# One standard error
# ------------------
# With ``rule="one_standard_error"`` a simpler fusion wins unless another one is clearly better, as
# the sum of kernels is here.

simple = FusionSearchCV(
    candidates, task="regression", cv=3, fast=True, rule="one_standard_error"
).fit(X, targets["sum"])
print(simple.best_fusion_, {key: round(value, 3) for key, value in simple.fusion_scores_.items()})

# %%
# The table of projections
# ------------------------
# A flexible model may be good without any interaction, or have them for nothing. The additive
# projection of each model takes them away: where the score stays, they were not needed. Late
# fusion has none by construction, and a gate has some that it cannot use for a sum.

models = {
    "late fusion": LateFusionRegressor(),
    "gated fusion": GatedFusionRegressor(),
    "shift": ModalityShiftRegressor("first"),
    "additive regression": InteractionRegressor(form="additive"),
    "with products": InteractionRegressor(),
}
table = emap_table(models, X, targets, cv=3, random_state=0)
print(table)
print(table.to_frame()[["score", "projection"]].round(3))

plt.show()
