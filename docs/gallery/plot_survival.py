"""
Genes beside a clinical record: survival
========================================

196 breast cancer patients without spread to the lymph nodes: 76 genes and a clinical record. We
learn when metastases come from both, with a kernel for each and weights that are learned.
"""

# %%
# The patients
# ------------
# Scikit-survival ships them. A quarter had a distant metastasis; the others were last seen without.
# We leave out two whose tumour has no known grade.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sksurv.datasets import load_breast_cancer
from sksurv.metrics import concordance_index_censored
from sksurv.nonparametric import kaplan_meier_estimator

from mkfusion import ColumnKernelizer, MKLSurvivalAnalysis

X, y = load_breast_cancer()
known = X["grade"] != "unkown"
X, y = X[known], y[known]
clinical = ["age", "er", "grade", "size"]
genes = [column for column in X if column not in clinical]
event, time = y["e.tdm"], y["t.tdm"] / 365.25
print(f"{len(X)} patients, {event.sum()} events, {len(genes)} genes")

# %%
# Risks of patients that a model has not seen
# -------------------------------------------
# Folds are stratified by event. Each half of the data alone, and both with learned weights.

MODALITIES = {"genes": genes, "clinical": clinical}
folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, event))


def held_out_risk(names):
    kernels = [(name, "auto", MODALITIES[name]) for name in names]
    model = make_pipeline(ColumnKernelizer(kernels), MKLSurvivalAnalysis(C=0.1, p=2))
    risk = np.empty(len(X))
    for train, test in folds:
        told = model.fit(X.iloc[train], y[train]).predict(X.iloc[test])
        risk[test] = told.argsort().argsort() / len(test)  # models of folds have no common scale
    return risk


risks = {
    " and ".join(names): held_out_risk(names) for names in (["genes"], ["clinical"], MODALITIES)
}
for name, risk in risks.items():
    print(f"{name}: Harrell's C {concordance_index_censored(event, time, risk)[0]:.3f}")

# %%
# What the risk is worth to a patient: survival as it was observed, by thirds of the risk that had
# been predicted.

fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
for ax, (name, risk) in zip(axes, risks.items(), strict=True):
    third = np.digitize(risk, [1 / 3, 2 / 3])
    for k, label in enumerate(["low", "middle", "high"]):
        steps = kaplan_meier_estimator(event[third == k], time[third == k])
        ax.step(*steps, where="post", label=f"{label} risk")
    ax.set(title=name, xlabel="years", ylim=(0, 1.02), xlim=(0, 15))
axes[0].set_ylabel("without metastasis")
axes[0].legend(loc="lower left")
plt.show()

# %%
# Whether both together are *surely* better than the best alone, with 51 events, is another
# question: :func:`mkfusion.compare.compare_fusion` takes the same target, and tests it.
