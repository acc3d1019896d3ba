#!/usr/bin/env bash
# scikit-survival's clinical kernel is NaN everywhere if one column is constant.
#
# Version: scikit-survival 0.28.0.
# Input: a table with the ages of three patients and a measurement that is 1.0 in all of them.
# Seen: `clinical_kernel(table)` returns a 3 x 3 matrix of NaN: the range of the second column, 0, is
# a divisor, and the mean over columns spreads it to all entries. No warning of its own, no error.
# Expected: a column without range says the same of all patients: similarity 1, or no say.
# Matters here: a fold in which a rare marker never occurs has such a column.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    scikit-survival==0.28.0 numpy==2.4.6 scikit-learn==1.9.1 pandas==2.3.3
cd "$work"
env/bin/python - <<'PYTHON'
import warnings

import numpy as np
import pandas as pd
from sksurv.kernels import clinical_kernel

warnings.simplefilter("ignore")  # NumPy's, of 0 / 0
table = pd.DataFrame({"age": [20.0, 40.0, 60.0], "marker": [1.0, 1.0, 1.0]})
print(clinical_kernel(table))
assert np.isnan(clinical_kernel(table)).all()
assert np.allclose(clinical_kernel(table[["age"]]), [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])
PYTHON
