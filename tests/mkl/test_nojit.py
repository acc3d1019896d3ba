"""Without compilation the inner loops give the same fit: what Numba runs is what Python means."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from oracles.names import named

SCRIPT = """
import json, sys
import numpy as np
from mkfusion import MKLClassifier

rng = np.random.default_rng(0)
n, classes = 24, int(sys.argv[1])
y = np.arange(n) % classes
x = rng.normal(size=(n, 6)) + rng.normal(size=(classes, 6))[y]
kernels = [x[:, k:k + 2] @ x[:, k:k + 2].T for k in range(4)]
parameters = json.loads(sys.argv[2])
model = MKLClassifier(tol=1e-5, **parameters).fit(kernels, y)
print(json.dumps({
    "weights": model.weights_.tolist(),
    "decision": model.decision_function(kernels).tolist(),
    "objective": model.objective_,
    "gap": model.duality_gap_,
}))
"""


def run(classes: int, parameters: dict[str, Any], compiled: bool) -> dict[str, Any]:
    """Fit in a process of its own, which alone can be told not to compile."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "0" if compiled else "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(classes), json.dumps(parameters)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize(
    ("classes", "parameters"),
    [
        (2, {"p": 1.0}),
        (2, {"p": 1.5, "C": 10.0}),
        (2, {"p": 2.0, "lam": 0.5}),
        (3, {"p": 1.0}),
        (3, {"p": 1.2, "per_class_weights": True}),
    ],
    ids=named,
)
def test_interpreted_fit_equals_compiled_fit(classes: int, parameters: dict[str, Any]) -> None:
    compiled, interpreted = (run(classes, parameters, compiled=flag) for flag in (True, False))
    assert interpreted["gap"] <= 1e-5
    assert interpreted["objective"] == pytest.approx(compiled["objective"], rel=2e-5)
    np.testing.assert_allclose(interpreted["weights"], compiled["weights"], atol=1e-2)
    np.testing.assert_allclose(interpreted["decision"], compiled["decision"], atol=5e-2)
