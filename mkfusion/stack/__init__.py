"""m aligned kernels as one object, wherever they lie."""

from mkfusion.stack._bank import Bank, BankStorage
from mkfusion.stack._computed import BLOCK_BYTES, LazyStorage, View, row_batches
from mkfusion.stack._dense import DenseStorage, check_finite
from mkfusion.stack._file import place_in_file, reopen
from mkfusion.stack._gram import GRAM_RTOL, asymmetry
from mkfusion.stack._inputs import prediction_stack, remember_input, training_stack
from mkfusion.stack._low_rank import Factor, FactorView, pivoted_cholesky
from mkfusion.stack._product import ProductStorage
from mkfusion.stack._stack import KernelStack
from mkfusion.stack._storage import Storage, kernel_indices
from mkfusion.stack._threads import in_threads, split_for_threads

__all__ = [
    "BLOCK_BYTES",
    "Bank",
    "BankStorage",
    "DenseStorage",
    "Factor",
    "FactorView",
    "GRAM_RTOL",
    "KernelStack",
    "LazyStorage",
    "ProductStorage",
    "Storage",
    "View",
    "asymmetry",
    "check_finite",
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
]
