"""Aligned kernels as one object: where their values are, and how they are read."""
