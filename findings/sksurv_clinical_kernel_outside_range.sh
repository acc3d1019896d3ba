#!/usr/bin/env bash
# scikit-survival's clinical kernel gives negative similarities to patients outside the training range.
#
# Version: scikit-survival 0.28.0.
# Input: training ages 20, 40 and 60; a new patient of 100.
# Seen: `ClinicalKernelTransform(fit_once=True)` prepared on the training table says -1.0 between the
# ages 20 and 100: (range - |difference|) / range with the range of training, 40, is not cut at 0. The
# function `clinical_kernel(new, training)` takes the range of both tables, and says 0.0: another
# kernel, which depends on who else is asked for.
# Expected: similarities between 0 and 1, the same for one patient as for a batch.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    scikit-survival==0.28.0 numpy==2.4.6 scikit-learn==1.9.1 pandas==2.3.3
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
import pandas as pd
from sksurv.kernels import ClinicalKernelTransform, clinical_kernel

training = pd.DataFrame({"age": [20.0, 40.0, 60.0]})
new = pd.DataFrame({"age": [100.0]})
older = pd.DataFrame({"age": [100.0, 120.0]})
prepared = ClinicalKernelTransform(fit_once=True)
prepared.prepare(training)
similarity = prepared.pairwise_kernel(training.to_numpy()[0], new.to_numpy()[0])
alone, together = clinical_kernel(new, training)[0], clinical_kernel(older, training)[0]
print("prepared:", similarity, "alone:", alone, "beside a patient of 120:", together)
assert np.isclose(similarity, -1.0)
assert np.allclose(alone, [0.0, 0.25, 0.5])
assert np.allclose(together, [0.2, 0.4, 0.6])
PYTHON
