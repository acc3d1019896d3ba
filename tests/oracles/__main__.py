"""``python -m tests.oracles [tol ...]``: fit every problem, print faults and worst gap errors."""

from __future__ import annotations

import sys

from . import checks, problems


def main() -> int:
    """Examine all problems at the tolerances of the command line (1e-3 and 1e-6 by default)."""
    examinations = []
    for tol in [float(word) for word in sys.argv[1:]] or [1e-3, 1e-6]:
        for number in range(problems.N_PROBLEMS):
            problem = problems.make(number)
            model, converged = checks.fit(problem, tol)
            one = checks.examine(model, converged, problem, tol)
            examinations.append(one)
            for fault in one.faults:
                print(f"{problem.id} tol={tol:g}: {fault}", flush=True)
    print(checks.table(examinations))
    return int(any(one.faults for one in examinations))


if __name__ == "__main__":
    raise SystemExit(main())
