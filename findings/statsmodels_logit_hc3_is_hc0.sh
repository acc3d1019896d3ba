#!/usr/bin/env bash
# In statsmodels' Logit, the robust covariances HC1, HC2 and HC3 are HC0 under another name.
#
# Version: statsmodels 0.15.0.
# Input: 30 samples, two columns, a class; `Logit(y, X).fit(cov_type=...)`, and the binomial GLM.
# Seen: the standard errors of HC0, HC1, HC2 and HC3 are equal to the last digit, and the result's
# `cov_type` still names what was asked for. In OLS the four differ, as they should.
# Expected: HC1 to be n / (n - k) times HC0, or a refusal: small samples are what HC3 is asked for.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
import statsmodels.api as sm

rng = np.random.default_rng(0)
X = sm.add_constant(rng.normal(size=(30, 2)))
y = (X[:, 1] + rng.normal(size=30) > 0).astype(float)
kinds = ["HC0", "HC1", "HC2", "HC3"]
logit = [sm.Logit(y, X).fit(disp=0, cov_type=kind) for kind in kinds]
glm = [sm.GLM(y, X, family=sm.families.Binomial()).fit(cov_type=kind) for kind in kinds]
ols = [sm.OLS(y, X).fit(cov_type=kind) for kind in kinds]
for found in logit:
    print(found.cov_type, found.bse)
assert [found.cov_type for found in logit] == kinds
assert all(np.array_equal(found.bse, logit[0].bse) for found in logit)
assert all(np.array_equal(found.bse, glm[0].bse) for found in glm)
assert np.allclose(ols[1].bse ** 2, ols[0].bse ** 2 * 30 / 27)
PYTHON
