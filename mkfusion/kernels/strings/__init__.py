"""Kernels of texts and sequences."""
