"""How alike the modalities are, over all samples."""

from __future__ import annotations

import numpy as np

from mkfusion.compare._evaluate import REFUSALS, Job, held, unreadable_is_made_again
from mkfusion.inspection import KernelAlignment, kernel_alignment

# Samples whose kernels are held at once: 72 MB each.
MOST_ALIGNED = 3000


def align(job: Job) -> KernelAlignment | str:
    """Measure the alignment of the modalities' kernels, or read what is there of it.

    Parameters
    ----------
    job : Job

    Returns
    -------
    KernelAlignment or str
        Or why there is none.
    """
    n = len(job.X)
    if n > MOST_ALIGNED:
        return f"{n} samples are more than {MOST_ALIGNED}, whose kernels would take too much memory"
    try:
        with unreadable_is_made_again():
            return job.memory.cache(_align, ignore=["job"])(job.key, job)
    except REFUSALS as error:
        return " ".join(str(error).split())


def _align(key: str, job: Job) -> KernelAlignment:
    setting = job.setting
    stack = setting.kernelizer().fit_transform(job.X)
    factors = None
    if setting.missing != "error":
        # As a modality alone sees them: without the scaling of samples that lack another.
        factors = np.sqrt(job.X.present().mean(axis=1))
    names = [modality.name for modality in setting.modalities]
    target = "classes" if setting.classes else "continuous"
    return kernel_alignment(held(stack, factors, factors), job.y, names=names, target_type=target)
