#!/usr/bin/env bash
# The rows of a MuData's modalities are not in the order of its samples.
#
# Version: mudata 0.3.10, anndata 0.12.19.
# Input: samples s1, s2, s3 with one modality and s3, s1, s4 with another, in one MuData.
# Seen: `obs_names` of the whole is s1, s2, s3, s4, but `mod["prot"].X` has its rows as they came: row 0
# is s3. A selection `mdata[["s1", "s3"]]` of samples that both have puts them in the order asked for
# in each modality, so that what was right after selecting is wrong before.
# Expected of an aligned container: that arrays beside each other are aligned; `obsmap` says who is who.
# Matters here: `[m.X for m in mdata.mod.values()]` as kernels' input pairs wrong samples.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    mudata==0.3.10 anndata==0.12.19 numpy==2.4.6
cd "$work"
env/bin/python - <<'PYTHON'
import warnings

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

warnings.simplefilter("ignore")
values = np.arange(3.0)[:, np.newaxis]
first = AnnData(values, obs=pd.DataFrame(index=["s1", "s2", "s3"]))
second = AnnData(values, obs=pd.DataFrame(index=["s3", "s1", "s4"]))
both = MuData({"rna": first, "prot": second})
print(list(both.obs_names), {name: list(part.obs_names) for name, part in both.mod.items()})
assert list(both.obs_names) == ["s1", "s2", "s3", "s4"]
assert list(both.mod["prot"].obs_names) == ["s3", "s1", "s4"]
picked = both[["s1", "s3"]]
assert all(list(part.obs_names) == ["s1", "s3"] for part in picked.mod.values())
PYTHON
