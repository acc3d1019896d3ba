"""Windows: a long recording cut into samples that can be learned from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._compat import safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.data import Modalities, as_plain, is_gap, is_table
from mkfusion.recordings._labels import RULES, read_track, window_labels
from mkfusion.recordings._streams import (
    Clock,
    Stream,
    at_instants,
    check_not_negative,
    check_positive,
    read_recording,
    rounding_of_times,
)
from mkfusion.stack import check_room

# Blocks of a single recording: enough groups for five folds drawn several times.
_BLOCKS_OF_ONE = 10
# Numbers that cutting holds for each value of a window, and for each window.
_OF_VALUE, _OF_WINDOW = 4, 4


class Windows(NamedTuple):
    """Outcome of :func:`cut_windows`.

    Attributes
    ----------
    data : Modalities
        Of an array (n_windows, n_channels, n_steps) each, in its own rate; a window that lacks a
        modality is NaN there.
    target : ndarray of shape (n_windows,) or None
        The label that each window takes; None without `labels`.
    groups : ndarray of str, shape (n_windows,)
        The recording or the block of it that a window was cut from. Windows of two blocks share no
        time step, so that grouped folds keep windows that overlap together.
    times : ndarray of shape (n_windows, 2)
        When a window starts and stops, in seconds on the clock of its recording; of dates since
        1970 began: ``pandas.to_datetime(times[:, 0], unit="s")``.
    recording : ndarray of int, shape (n_windows,)
        The position of its recording.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import cut_windows
    >>> windows = cut_windows({"pulse": np.arange(6.0)}, length=2.0, rate=1.0, n_blocks=1)
    >>> windows.times.tolist()
    [[0.0, 2.0], [2.0, 4.0], [4.0, 6.0]]
    >>> windows.data["pulse"][1]
    array([[2., 3.]])
    """

    data: Modalities
    target: NDArray[Any] | None
    groups: NDArray[np.str_]
    times: Floats
    recording: NDArray[np.intp]


class _Cut(NamedTuple):
    """How windows are cut: the checked arguments of `cut_windows`."""

    length: float
    step: float
    margin: float
    max_missing: float
    label: str
    purity: float


def cut_windows(
    recordings: Any,
    length: float,
    *,
    step: float | None = None,
    modalities: Mapping[str, Any] | None = None,
    time: str | None = None,
    rate: float | Mapping[str, float] | None = None,
    labels: Any = None,
    label: str = "majority",
    purity: float = 0.5,
    groups: Any = None,
    n_blocks: int | None = None,
    margin: float = 0.0,
    max_missing: float = 0.1,
) -> Windows:
    """Cut long recordings of several sensors into windows, with groups that keep folds honest.

    Sensors may have different rates, begin and end at different times, and have gaps. A window
    takes the values of each sensor in its own rate: those that were recorded, where these are as
    regular as a clock, and otherwise linear interpolations between them.

    Parameters
    ----------
    recordings : DataFrame, mapping of str to streams, or a list of these
        One or several. A recording is a table whose rows are time steps, with `modalities`; or its
        modalities by their names, each a table, a Series, or an array (n_channels, n_steps) or
        (n_steps,). NaN is a gap.
    length : float
        Of a window, in seconds.
    step : float, default=None
        From the start of one window to the next, in seconds. None is `length`: no overlap.
    modalities : mapping of str to columns, default=None
        Which columns of recordings that are tables are which modality; `columns` as in
        :class:`sklearn.compose.ColumnTransformer`.
    time : str, default=None
        The column of tables that says when their rows were: dates, durations or seconds. None is
        the index of tables, where it is one of these.
    rate : float or mapping of str to float, default=None
        Time steps in a second, of all modalities or by their names, for what has no times. Arrays
        need it; they begin at 0. With times it is what windows are sampled at, at least about as
        many as there are; None is one in the median time between two.
    labels : default=None
        What was the case: the name of a column of tables; or of each recording a label, one for
        each time step, or the stretches with a label, as a table or list of (start, stop, label) on
        the recording's clock. In a list, as `recordings` are. None and NaN are no label.
    label : {"majority", "mean", "last"}, default="majority"
        Which label a window takes: the one that holds for most of it (the first of equals), the
        mean over time (of numbers), or the one at its end.
    purity : float, default=0.5
        The share of a window that "majority" must fill with its label, and "mean" with any; other
        windows are left out. 1 leaves out all that a change falls into, which makes scores too
        good for what is to run on a stream.
    groups : str or sequence, default=None
        Whose recordings they are: one name for each of several; or the column of a table that says
        it, by which the table is cut into recordings. None is the number of the recording.
    n_blocks : int, default=None
        Blocks of equal time into which each recording is cut, each a group of its own. None is 10
        where all recordings are of one group, and 1, whole recordings, otherwise.
    margin : float, default=0.0
        Seconds on both sides of the border between two blocks that no window has, as what is close
        in time is alike.
    max_missing : float, default=0.1
        The share of a modality's values that may be missing in a window; they are interpolated.
        With more, the window lacks the modality.

    Returns
    -------
    windows : Windows
        Named tuple of `data`, `target`, `groups`, `times` and `recording`, for each window.
        Windows that lack all modalities, or (with `labels`) take no label, are left out.

    Raises
    ------
    ValueError, TypeError
        If an argument is not one of those above, times do not increase, a recording has other
        modalities, rates or columns than the first, or no window is left.
    MemoryError
        If there are too many windows, or too many values in them.

    See Also
    --------
    compare_fusion : ``compare_fusion(windows.data, windows.target, groups=windows.groups)``.

    Examples
    --------
    Two sensors of different rates; what was done is known by stretches of time.

    >>> import numpy as np
    >>> from mkfusion import cut_windows
    >>> accel, pulse = np.zeros((3, 6000)), np.zeros(120)
    >>> windows = cut_windows(
    ...     {"accel": accel, "pulse": pulse}, length=4.0, step=2.0,
    ...     rate={"accel": 50.0, "pulse": 1.0},
    ...     labels=[(0, 50, "rest"), (50, 120, "walk")], n_blocks=4,
    ... )
    >>> windows.data
    Modalities with 56 samples
      accel  ndarray  (56, 3, 200)
      pulse  ndarray  (56, 1, 4)
    >>> print(*np.unique(windows.groups))
    0/0 0/1 0/2 0/3
    >>> windows.times[:2].tolist(), windows.target[:2].tolist()
    ([[0.0, 4.0], [2.0, 6.0]], ['rest', 'rest'])
    """
    cut = _check(length, step, margin, max_missing, label, purity)
    clock = Clock(time, rate)
    parts, names, said = _several(recordings, groups, labels)
    n_blocks = _check_blocks(n_blocks, len(set(names)))
    pieces: list[dict[str, Floats]] = []
    target: list[Any] = []
    owners: list[str] = []
    times: list[Floats] = []
    which: list[int] = []
    first: dict[str, Stream] = {}
    longest = 0.0
    for i, (part, name, track) in enumerate(zip(parts, names, said, strict=True)):
        called = "recordings" if len(parts) == 1 else f"recordings[{i}]"
        streams = read_recording(part, modalities, clock, called)
        first = first or streams
        _check_alike(streams, first, cut, called)
        steps = _steps(streams, cut.length)
        span = (min(s.times[0] for s in streams.values()), max(s.stop for s in streams.values()))
        spoken = None
        if track is not None:
            shared = _shared_steps(streams)
            spoken = read_track(
                track, span, shared, "labels" if len(parts) == 1 else f"labels[{i}]"
            )
        blocks = _blocks(span, n_blocks, cut)
        longest = max(longest, *(stop - start for start, stop in blocks))
        found = [_of_block(streams, block, steps, cut) for block in blocks]
        placed = np.concatenate([one.times for one in found])
        keep = np.concatenate([one.there for one in found])
        chosen = [None] * len(keep)
        if spoken is not None:
            chosen = window_labels(spoken, placed, cut.label, cut.purity)
            keep &= np.array([one is not None for one in chosen], dtype=bool)
        rows = np.flatnonzero(keep)
        sizes = [len(one.times) for one in found]
        for one, kept in zip(found, np.split(keep, np.cumsum(sizes)[:-1]), strict=True):
            some = slice(None) if kept.all() else kept  # most often all, of which none is a copy
            pieces.append({m: values[some] for m, values in one.values.items()})
        target += [chosen[row] for row in rows]
        numbers = np.repeat(np.arange(len(blocks)), sizes)
        owners += [name if n_blocks == 1 else f"{name}/{k}" for k in numbers[rows]]
        times.append(placed[rows])
        which += [i] * len(rows)
    if not any(map(len, times)) and longest < cut.length:
        cause, or_fewer = "recording", ""
        if n_blocks > 1:
            cause, or_fewer = f"of {n_blocks} blocks of a recording", ", or a smaller n_blocks"
        raise ValueError(
            f"length is {cut.length:g} seconds and the longest {cause} has {longest:g}; expected "
            f"shorter windows{or_fewer}."
        )
    return _joined(pieces, target if labels is not None else None, owners, times, which, cut)


def _joined(
    pieces: list[dict[str, Floats]],
    target: list[Any] | None,
    owners: list[str],
    times: list[Floats],
    which: list[int],
    cut: _Cut,
) -> Windows:
    if not owners:
        reason = f"has at most {cut.max_missing:.0%} missing values in any modality"
        if target is not None:
            reason += f" and a label for {cut.purity:.0%} of its time"
        raise ValueError(f"no window of {cut.length:g} seconds {reason}; expected at least one.")
    data = {m: np.concatenate([piece[m] for piece in pieces]) for m in pieces[0]}
    return Windows(
        Modalities(data),
        None if target is None else _as_target(target),
        np.array(owners),
        np.concatenate(times),
        np.array(which, dtype=np.intp),
    )


class _Block(NamedTuple):
    """The windows of a block.

    Attributes
    ----------
    values : dict of str to ndarray of shape (n_windows, n_channels, n_steps)
    times : ndarray of shape (n_windows, 2)
    there : ndarray of shape (n_windows,), dtype=bool
        Whether a window has a modality.
    """

    values: dict[str, Floats]
    times: Floats
    there: NDArray[np.bool_]


def _of_block(
    streams: Mapping[str, Stream], block: tuple[float, float], n_steps: Mapping[str, int], cut: _Cut
) -> _Block:
    start, stop = block
    # Rounding errors cost no window.
    rounding = max(1e-6, float(rounding_of_times(max(abs(start), abs(stop)))) / cut.step)
    with np.errstate(over="ignore"):
        fitting = np.divide(stop - start - cut.length, cut.step)
        n_windows = max(np.floor(fitting + rounding) + 1, 0.0)
    n_values = sum(len(one.values) * n_steps[name] for name, one in streams.items())
    check_room(
        f"{n_windows:.6g} windows of {cut.length:g} seconds of {n_values} values, every "
        f"step={cut.step:g} seconds,",
        8.0 * n_windows * (_OF_VALUE * n_values + _OF_WINDOW),
        "expected fewer, by a longer step, or of fewer values, by a lower rate",
    )
    starts: Floats = start + cut.step * np.arange(n_windows, dtype=np.float64)
    values, there = {}, np.zeros(len(starts), dtype=bool)
    for name, stream in streams.items():
        # Nothing of another block, not even to interpolate with.
        values[name] = _sampled(stream.between(start, stop), starts, n_steps[name], cut.max_missing)
        there |= ~np.isnan(values[name]).all(axis=(1, 2))
    return _Block(values, np.stack([starts, starts + cut.length], axis=1), there)


def _sampled(stream: Stream, starts: Floats, n_steps: int, max_missing: float) -> Floats:
    """Return windows (n_windows, n_channels, n_steps), NaN where one lacks the stream."""
    shape = (len(starts), len(stream.values), n_steps)
    if len(stream.times) == 0 or len(starts) == 0:
        return np.full(shape, np.nan)
    # The first time step within the window, so that what is regular is taken as it is.
    first = stream.first_from(starts)
    begin = stream.times[np.minimum(first, len(stream.times) - 1)]
    begin = np.where(np.abs(begin - starts) < 1.0 / stream.rate, begin, starts)
    values, there = at_instants(stream, begin[:, np.newaxis] + np.arange(n_steps) / stream.rate)
    values, there = values.transpose(1, 0, 2), there.transpose(1, 0, 2)
    lacking = (~there).mean(axis=(1, 2)) > max_missing
    # A channel without a value in all the block has nothing to be filled with.
    lacking |= np.isnan(values).any(axis=(1, 2))
    return np.where(lacking[:, np.newaxis, np.newaxis], np.nan, values)


def _blocks(span: tuple[float, float], n_blocks: int, cut: _Cut) -> list[tuple[float, float]]:
    width = (span[1] - span[0]) / n_blocks
    if 2.0 * width < cut.length:  # none has a window, however many there are
        return [(span[0], span[0] + width)]
    borders = np.linspace(*span, n_blocks + 1)
    blocks = []
    for k in range(n_blocks):
        start = borders[k] + cut.margin * (k > 0)
        stop = borders[k + 1] - cut.margin * (k < n_blocks - 1)
        blocks.append((float(start), float(stop)))
    return blocks


def _steps(streams: Mapping[str, Stream], length: float) -> dict[str, int]:
    found = {name: round(length * stream.rate) for name, stream in streams.items()}
    for name, n_steps in found.items():
        if n_steps < 1:
            raise ValueError(
                f"length is {length:g} seconds and {shown(name)} has a time step every "
                f"{1 / streams[name].rate:g}; expected windows that have one."
            )
    return found


def _check_alike(
    streams: Mapping[str, Stream], first: Mapping[str, Stream], cut: _Cut, called: str
) -> None:
    """Refuse a recording of other modalities, rates or channels than the first."""
    steps, expected = _steps(streams, cut.length), _steps(first, cut.length)
    if steps != expected:
        raise ValueError(
            f"windows of {called} have {steps} time steps, those before {expected}; expected the "
            "same modalities and rates. With rate, all are sampled alike."
        )
    for name, stream in streams.items():
        n_channels, before = len(stream.values), len(first[name].values)
        if n_channels != before:
            raise ValueError(
                f"{shown(name)} of {called} has {n_channels} channels, before it had {before}; "
                "expected the same channels in all recordings."
            )
        columns, others = stream.columns, first[name].columns
        # A single channel is what its modality is, whatever a table calls it.
        if n_channels > 1 and columns and others and columns != others:
            raise ValueError(
                f"{shown(name)} of {called} has the columns {shown(columns)}, before it had "
                f"{shown(others)}; expected the same ones in the same order."
            )


def _shared_steps(streams: Mapping[str, Stream]) -> tuple[Floats, float] | None:
    """Return the time steps of all streams, None where they differ."""
    first, *others = streams.values()
    same = all(np.array_equal(first.times, other.times) for other in others)
    return (first.times, first.rate) if same else None


def _several(recordings: Any, groups: Any, labels: Any) -> tuple[list[Any], list[str], list[Any]]:
    """Return recordings, the names of their groups and what is said of each (None: nothing)."""
    recordings = as_plain(recordings, "recordings")
    alone = not isinstance(recordings, list | tuple)
    parts = [recordings] if alone else list(recordings)
    if not parts:
        raise ValueError("recordings is empty; expected at least one.")
    if isinstance(labels, str) and any(map(is_table, parts)):
        said = [_column(part, labels, "labels") for part in parts]
    elif labels is None or alone:
        said = [labels] * len(parts)
    else:
        said = list(labels)
        _check_as_many(said, parts, "labels")
    if groups is None:
        return parts, [str(i) for i in range(len(parts))], said
    if not isinstance(groups, str):
        names = [groups] if alone and np.ndim(groups) == 0 else list(groups)
        _check_as_many(names, parts, "groups")
        for name in names:
            if not isinstance(name, Hashable):
                raise TypeError(f"groups has {shown(name)}; expected one name for each recording.")
        if any(map(is_gap, names)):
            raise ValueError("groups has a missing name; expected one for each recording.")
        return parts, _as_texts(names), said
    split: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    for part, track in zip(parts, said, strict=True):
        owner = _column(part, groups, "groups")
        rows_of: dict[Any, list[int]] = {}
        for row, name in enumerate(owner.tolist()):
            rows_of.setdefault(name, []).append(row)
        for name, own in rows_of.items():
            if is_gap(name):
                raise ValueError(
                    f"groups: column {shown(groups)} has missing cells; expected none."
                )
            rows = np.array(own)
            split[0].append(safe_indexing(part, rows))
            split[1].append(name)
            split[2].append(_of_rows(track, rows, len(owner)))
    return split[0], _as_texts(split[1]), split[2]


def _as_texts(names: Sequence[Any]) -> list[str]:
    """Return names as texts, equal ones as the same: 1 in a file may be 1.0 in another."""
    first: dict[Any, Any] = {}
    return [str(first.setdefault(name, name)) for name in names]


def _as_target(labels: list[Any]) -> NDArray[Any]:
    target = np.array(labels)
    if target.dtype.kind in "US" and not all(isinstance(one, str | bytes) for one in labels):
        return np.array(labels, dtype=object)  # 1 is not "1"
    return target


def _of_rows(track: Any, rows: Indices, n_rows: int) -> Any:
    """Return what is said of some rows of a table, where it is said row by row."""
    if np.ndim(track) != 1 or hasattr(track, "columns") or len(track) != n_rows:
        return track
    return np.asarray(track, dtype=object)[rows]


def _column(part: Any, name: str, argument: str) -> NDArray[Any]:
    if not is_table(part) or name not in list(part.columns):
        there = list(part.columns) if is_table(part) else f"a {type(part).__name__}"
        raise ValueError(
            f"{argument} is {shown(name)}; expected a column of recordings, which has {there}."
        )
    return np.asarray(part[name], dtype=object)


def _check_as_many(given: Sequence[Any], parts: Sequence[Any], argument: str) -> None:
    if len(given) != len(parts):
        raise ValueError(
            f"{argument} has {len(given)} entries; expected {len(parts)}, one for each recording."
        )


def _check_blocks(n_blocks: Any, n_recordings: int) -> int:
    if n_blocks is None:
        return _BLOCKS_OF_ONE if n_recordings == 1 else 1
    if isinstance(n_blocks, bool) or not isinstance(n_blocks, Integral) or n_blocks < 1:
        raise ValueError(f"n_blocks is {shown(n_blocks)}; expected a positive integer or None.")
    return int(n_blocks)


def _check(length: Any, step: Any, margin: Any, max_missing: Any, label: Any, purity: Any) -> _Cut:
    length = check_positive(length, "length")
    if label not in list(RULES):
        raise ValueError(f"label is {shown(label)}; expected one of {list(RULES)}.")
    for name, share in (("max_missing", max_missing), ("purity", purity)):
        check_not_negative(share, name, "a share from 0 to 1", most=1.0)
    step = length if step is None else check_positive(step, "step")
    margin = check_not_negative(margin, "margin", "a number from 0 on")
    return _Cut(length, step, margin, float(max_missing), label, float(purity))
