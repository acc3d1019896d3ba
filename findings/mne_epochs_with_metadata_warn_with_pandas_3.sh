#!/usr/bin/env bash
# Reading MNE epochs that hold metadata fails where warnings are errors, with pandas 3.1.
#
# Version: MNE 1.13.2 with pandas 3.1.1.
# Input: two epochs of one channel with a table of metadata, saved by MNE and read by `mne.read_epochs`.
# Seen: pandas' Pandas4Warning, of the keyword `inplace` that MNE passes to `DataFrame.set_index`. Epochs
# without metadata are read without it.
# Expected: a file that the package wrote itself is read without a warning.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    mne==1.13.2 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python - <<'PYTHON'
import warnings

import mne
import numpy as np
import pandas as pd

mne.set_log_level("error")
info = mne.create_info(["Cz"], 100.0, "eeg")
data = np.zeros((2, 1, 50))
for name, metadata in (("plain", None), ("told", pd.DataFrame({"size": [1, 2]}))):
    mne.EpochsArray(data, info, metadata=metadata).save(f"{name}-epo.fif")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        epochs = mne.read_epochs(f"{name}-epo.fif")
    said = [(one.category.__name__, str(one.message)) for one in caught]
    print(name, said)
    assert len(epochs) == 2
    assert any(kind == "Pandas4Warning" for kind, _ in said) == (name == "told")
PYTHON
