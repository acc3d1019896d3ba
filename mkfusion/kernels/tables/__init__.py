"""Kernels of tables: mixed columns, categories, missing cells."""
