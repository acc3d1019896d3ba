"""What users run on kernels and stacks of their own."""

from mkfusion.testing._kernel import check_kernel

__all__ = ["check_kernel"]
