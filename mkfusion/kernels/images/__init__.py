"""Kernels between images."""
