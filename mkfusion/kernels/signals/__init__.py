"""Kernels of signals with several channels."""
