"""How fast mkfusion is, beside others that do the same work: ``python -m benchmarks``."""
