#!/usr/bin/env bash
# MNE's multitaper spectrum is larger than its Welch spectrum by the sampling rate; both say V²/Hz.
#
# Version: MNE 1.13.2.
# Input: 20 seconds of white noise of a deviation of one microvolt, sampled at 100 and at 1000 Hz;
# `compute_psd(method="multitaper")` and `method="welch"`, defaults otherwise.
# Seen: the integral over all frequencies is 1e-12 V² by Welch and 1e-10 or 1e-9 by multitaper, although
# `units()` is V²/Hz for all: the default normalisation, "length", does not divide by the sampling rate.
# `normalization="full"` does.
# Expected: a density whose integral is the variance, 1e-12 V², in the unit that it names.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    mne==1.13.2 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python - <<'PYTHON'
import mne
import numpy as np

mne.set_log_level("error")
rng = np.random.default_rng(0)
for rate in (100.0, 1000.0):
    noise = 1e-6 * rng.normal(size=(1, int(20 * rate)))
    raw = mne.io.RawArray(noise, mne.create_info(["Cz"], rate, "eeg"))
    for asked, factor in (
        ({"method": "welch"}, 1.0),
        ({"method": "multitaper", "normalization": "full"}, 1.0),
        ({"method": "multitaper"}, rate),
    ):
        spectrum = raw.compute_psd(**asked)
        density, frequencies = spectrum.get_data(return_freqs=True)
        power = np.trapezoid(density[0], frequencies) / noise.var()
        print(rate, asked, "power in variances:", power, spectrum.units())
        assert spectrum.units() == {"eeg": "V²/Hz"}
        assert abs(power / factor - 1) < 0.1
PYTHON
