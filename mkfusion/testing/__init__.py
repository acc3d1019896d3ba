"""What to run on kernels and stacks of one's own: AssertionError where a contract is not kept."""

from mkfusion.testing._kernel import check_kernel
from mkfusion.testing._kernel_stack import check_kernel_stack

__all__ = ["check_kernel", "check_kernel_stack"]
