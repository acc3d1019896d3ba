#!/usr/bin/env bash
# scikit-survival's integrated Brier score asks how test samples were censored after the last time at
# which it is evaluated, and refuses if training does not tell.
#
# Version: scikit-survival 0.28.0.
# Input: four training samples followed up to time 5, three test samples, one of them followed up to
# time 6, scored at times 1.5 and 2.
# Seen: ValueError "time must be smaller than largest observed time point: 5.0" if the last training
# sample had its event. If that one was censored, the same call returns a score.
# Expected: a score in both cases. A sample that is alive at the times asked for is weighted by the
# chance of being uncensored at these times; its own last time has no part in the formula.
# Matters here: in cross-validation the longest follow-up is in a test fold once, so that one fold in k
# cannot be scored whatever times are chosen.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    scikit-survival==0.28.0 scikit-learn==1.9.1 numpy==2.4.6
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from sksurv.metrics import integrated_brier_score
from sksurv.util import Surv

times = [1.5, 2.0]
test = Surv.from_arrays([True, True, False], [1.0, 2.5, 6.0])
chances = np.full((3, 2), 0.5)


def score(last_had_event):
    event = [True, False, True, last_had_event]
    return integrated_brier_score(Surv.from_arrays(event, [1.0, 2.0, 3.0, 5.0]), test, chances, times)


print("last training sample censored:", score(False))
assert np.isfinite(score(False))
try:
    score(True)
except ValueError as error:
    print("last training sample had its event:", error)
    assert "largest observed time point" in str(error)
else:
    raise SystemExit("it is scored now")
PYTHON
