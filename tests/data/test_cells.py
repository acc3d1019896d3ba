"""Messages name the cell."""

import numpy as np
import pandas as pd
import pytest

from mkfusion import (
    CCAFusion,
    InteractionClassifier,
    InteractionRegressor,
)
from mkfusion.data import find_infinity

FRAME = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [1, 2, 3, 4], "c": [1.0, 2, np.inf, 4]})


def test_infinite_cells_are_found():
    assert find_infinity(FRAME) == "column 'c' is infinite in row 2"
    assert find_infinity(FRAME.to_numpy()) == "column 2 is infinite in row 2"
    assert find_infinity(FRAME[["a", "b"]]) is None
    assert find_infinity(FRAME.assign(c=[np.nan, 1, 2, 3], d="x")) is None
    assert find_infinity(["texts"]) is None


WORDS = ["x", "y", "x", "y"], r"modality 'p': .*column 'b' holds 'x' in row 0; expected finite"
INFINITE = [1, 2, np.inf, 3], r"modality 'p': .*column 'b' is not finite in row 2; expected finite"


# Words are categories in interaction regression.
@pytest.mark.parametrize(
    ("estimator", "cells", "said"),
    [
        (CCAFusion, *WORDS),
        (CCAFusion, *INFINITE),
        (InteractionRegressor, *INFINITE),
        (InteractionClassifier, *INFINITE),
    ],
)
def test_the_column_is_named(estimator, cells, said):
    model = estimator(modalities=[("p", ["a", "b"]), ("q", ["d"])])
    with pytest.raises(ValueError, match=said):
        model.fit(FRAME.assign(b=cells, d=[4.0, 3, 1, 2]), [0, 1, 0, 1])
