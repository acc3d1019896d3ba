"""All alignments of two signals."""


def all_paths(n, m):
    """Every alignment of n and m time steps, from the first of both to the last of both."""
    if n == m == 1:
        yield [(0, 0)]
        return
    for a, b in ((n - 1, m - 1), (n - 1, m), (n, m - 1)):
        if a >= 1 and b >= 1:
            for path in all_paths(a, b):
                yield [*path, (n - 1, m - 1)]
