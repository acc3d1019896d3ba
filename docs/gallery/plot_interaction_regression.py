"""
Does the effect of body mass depend on blood pressure?
======================================================

Two measurements may add up, or one may decide how much the other matters. A regression with their
product tells these apart, and gives the answer that a reader of a paper asks for: an estimate, an
interval, a test. We ask it of 442 diabetes patients, whose disease was followed for a year.
"""

# %%
# The question
# ------------
# ``progression = w0 + w1 bmi + w2 bp + w3 bmi × bp + error``: if the effect of the body mass index
# is the same whatever the blood pressure is, then ``w3 = 0``. Centred columns make ``w1`` the
# effect of body mass *at the mean blood pressure*; with raw ones it is that at a pressure of zero.

import warnings

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold, cross_val_score

from mkfusion import InteractionClassifier, InteractionDisplay, InteractionRegressor

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
pair = X[["bmi", "bp"]]
model = InteractionRegressor(scaling="center").fit(pair, y)
print(model.inference_table().round(3))

# %%
# The tests compare the model with smaller ones: without all that has to do with body mass, and
# without the product.

print(model.test_effect("bmi"))
print(model.test_interaction("bmi", "bp"))

# %%
# A paper shows the models side by side: the mean alone, main effects, and the product. What the
# product adds to R² is small, and its F is the test of above.

print(model.nested_models()[["r2", "delta_r2", "F", "df", "df_resid", "p_value"]].round(4))
print()
print(model.summary())

# %%
# Each line is what the model expects of a patient with a low, a mean or a high blood pressure. They
# fan out: body mass matters more where the pressure is high.

InteractionDisplay.from_estimator(model, pair, "bmi", "bp")

# %%
# How steep these lines are, with standard errors, are the *simple slopes*: at the mean and one
# standard deviation to both sides, or at pressures that mean something.

print(model.simple_slopes("bmi", "bp").round(3))
print(model.simple_slopes("bmi", "bp", at=[80, 120])[["at", "estimate", "std_error"]].round(3))

# %%
# Categories are columns, too
# ---------------------------
# Here the sex of the patients, which is written as 1 and 2, by names. The first level is what the
# others are compared with; the slope of body mass is then one of each sex.

named = pair[["bmi"]].assign(sex=X["sex"].map({1.0: "first", 2.0: "second"}))
by_sex = InteractionRegressor().fit(named, y)
print(by_sex.summary())
print(by_sex.simple_slopes("bmi", "sex")[["at", "estimate", "std_error", "p_value"]].round(3))

# %%
# What centring does, and does not
# --------------------------------
# Without centring, the table seems to say that body mass has no effect, since it now speaks of
# patients without blood pressure. The answers to both questions stay what they were.

raw = InteractionRegressor().fit(pair, y)
tables = {"centred": model.inference_table(), "raw": raw.inference_table()}
print(pd.concat({name: table[["estimate", "p_value"]].round(4) for name, table in tables.items()}))
print(raw.test_effect("bmi"))
print(raw.test_interaction("bmi", "bp"))

# %%
# How far can it be trusted?
# --------------------------
# The spread of the errors grows with the expected progression here, which ordinary standard errors
# leave out of account. HC3 does not:

robust = InteractionRegressor(scaling="center", cov_type="HC3").fit(pair, y)
print(robust.test_interaction("bmi", "bp"))

# %%
# The answer also belongs to the terms that are in the model: here with the other columns and all
# products among the ten. It is still yes. But this is one of 45 products, of which chance alone
# would make two look so: a question that was asked before the data were seen is worth more than
# the smallest of 45 p-values.

everything = InteractionRegressor(scaling="center").fit(X, y)
print(everything.test_effect("bmi"))
print(everything.test_interaction("bmi", "bp"))
products = everything.inference_table().filter(like="×", axis=0)
print(f"{(products['p_value'] < 0.05).sum()} of {len(products)} products have p < 0.05")

# %%
# Columns that say the same
# -------------------------
# If a column can be made of others, their effects cannot be told apart. Often these are the levels
# of a category, of which one too many was kept. The model warns, says what is made of what, and
# refuses a table, where others share the effect out among the columns without a word.

levels = pd.cut(X["bmi"], [0, 18.5, 25, 30, 99], labels=["under", "normal", "over", "obese"])
dummies = pd.get_dummies(levels, dtype=float)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    InteractionRegressor(form="additive").fit(dummies, y)
print(told[0].message)

# %%
# Do interactions help to predict?
# --------------------------------
# A small p-value does not make a better prediction. We take the columns as three modalities, and
# compare the forms by cross-validation. The group penalty takes the products of two modalities
# together, or not at all.

parts = [
    ("person", ["age", "sex"]),
    ("body", ["bmi", "bp"]),
    ("blood", ["s1", "s2", "s3", "s4", "s5", "s6"]),
]
folds = KFold(5, shuffle=True, random_state=0)
models = {
    "additive": InteractionRegressor(parts, form="additive"),
    "bilinear": InteractionRegressor(parts),
    "bilinear, ridge": InteractionRegressor(parts, penalty="ridge"),
    "bilinear, lasso": InteractionRegressor(parts, penalty="lasso"),
    "bilinear, group": InteractionRegressor(parts, penalty="group", tol=1e-4),
    "low rank": InteractionRegressor(
        parts, form="low_rank", rank=1, penalty="ridge", alpha=0.1, random_state=0
    ),
}
scores = {name: cross_val_score(one, X, y, cv=folds) for name, one in models.items()}
print(pd.DataFrame(scores).agg(["mean", "std"]).T.round(3))

# %%
# The additive model is as good as any: what the products add is no more than what it costs to
# estimate them, and unpenalised they make it worse. A penalty bounds that price. Of the products,
# the lasso keeps those:

lasso = models["bilinear, lasso"].fit(X, y)
kept = pd.Series(lasso.coef_, index=lasso.term_names_)
print(kept[(kept != 0) & kept.index.str.contains("×")].round(2))

# %%
# Classes
# -------
# The same of two classes, by logistic regression: whose disease progresses more steeply than the
# median? The display shows probabilities. To know only that much of each patient costs the answer:
# the test no longer finds the interaction, which is no evidence that there is none. And its
# question is another one: whether effects add up in the log-odds.

course = (y > y.median()).map({True: "steep", False: "gentle"})
classifier = InteractionClassifier(scaling="center").fit(pair, course)
print(classifier.inference_table().round(3))
print(classifier.test_interaction("bmi", "bp"))
InteractionDisplay.from_estimator(classifier, pair, "bmi", "bp")

plt.show()
