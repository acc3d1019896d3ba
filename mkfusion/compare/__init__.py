"""Comparisons of whole fusion methods on one data set; only the command line imports this."""

__all__: list[str] = []
