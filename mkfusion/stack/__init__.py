"""m aligned kernels as one object, wherever they lie."""

from mkfusion.stack._alignment import centred_products, unbiased_products
from mkfusion.stack._bank import Bank, BankStack
from mkfusion.stack._checks import kernel_indices
from mkfusion.stack._decisions import weighted_products
from mkfusion.stack._dense import check_finite
from mkfusion.stack._diagnosis import DegenerateKernelWarning, warn_degenerate
from mkfusion.stack._file import place_in_file, reopen
from mkfusion.stack._gaussian import Gaussian
from mkfusion.stack._gram import GRAM_RTOL, asymmetry
from mkfusion.stack._inputs import prediction_stack, remember_input, training_stack
from mkfusion.stack._low_rank import Factor, FactorView, pivoted_cholesky
from mkfusion.stack._product import ProductStack
from mkfusion.stack._room import check_room
from mkfusion.stack._stack import ComputedStack, KernelStack, as_stack
from mkfusion.stack._threads import in_threads, split_for_threads
from mkfusion.stack._views import BLOCK_BYTES, View, row_batches

__all__ = [
    "BLOCK_BYTES",
    "Bank",
    "BankStack",
    "ComputedStack",
    "DegenerateKernelWarning",
    "Factor",
    "FactorView",
    "GRAM_RTOL",
    "Gaussian",
    "KernelStack",
    "ProductStack",
    "View",
    "as_stack",
    "asymmetry",
    "centred_products",
    "check_finite",
    "check_room",
    "in_threads",
    "kernel_indices",
    "pivoted_cholesky",
    "place_in_file",
    "prediction_stack",
    "remember_input",
    "reopen",
    "row_batches",
    "split_for_threads",
    "training_stack",
    "unbiased_products",
    "warn_degenerate",
    "weighted_products",
]
