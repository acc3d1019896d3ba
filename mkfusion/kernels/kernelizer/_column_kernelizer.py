"""Kernels on columns or modalities."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import num_samples
from mkfusion._messages import shown
from mkfusion.data import (
    MISSING,
    MissingModalityWarning,
    Modalities,
    as_table,
    check_entries,
    check_features,
    column_names,
    known_parts,
    missing_message,
    names_within,
    present_samples,
    refuse_empty,
    refuse_misnamed,
    refuse_unknown,
    remember_features,
    resolve_columns,
    select_columns,
    those,
)
from mkfusion.kernels._kernel import takes_gaps
from mkfusion.kernels._visual import visual_block
from mkfusion.kernels.kernelizer._auto import choose_kernel
from mkfusion.kernels.kernelizer._evaluation import FittedKernel, training_view
from mkfusion.kernels.kernelizer._kernelizer import BaseKernelizer, Entry, Parts, as_list
from mkfusion.kernels.kernelizer._missing import (
    COMPLETIONS,
    Completion,
    Imputer,
)

# Where so many training samples lack a modality, a model has learned to do without it: it is within
# 0.08 of the accuracy of a model without the modality, from up to 0.24 below it (docs/kernels.md).
_ENOUGH_WITHOUT = 0.2


class ColumnKernelizer(BaseKernelizer):
    """Compute kernels of different columns or modalities of the same samples.

    Parameters
    ----------
    kernels : list of (name, kernel, columns) tuples
        name : str
            Gives access to the kernel's parameters in `set_params` and searches
            (``accel__gamma``), and begins the names of its kernels in the stack.
        kernel : kernel or list of kernels
            A kernel is a kernel object, a name that
            :func:`sklearn.metrics.pairwise.pairwise_kernels` knows (with its default parameters),
            a function ``f(X, Y)`` that returns the matrix (n_samples_X, n_samples_Y), a
            scikit-learn Gaussian-process kernel, or a Pipeline that ends in one of these; "auto"
            chooses one, see the notes. Each of a list gives a kernel in the stack.
        columns : str, int, list, slice, boolean mask or callable
            For `Modalities`, the name of one. Otherwise as in
            :class:`sklearn.compose.ColumnTransformer`: strings are names of a DataFrame's columns,
            integers are positions, and a callable such as
            :func:`~sklearn.compose.make_column_selector` gets the samples and returns one of these.
            Of columns with several levels, as ``pd.concat({"rna": A, "cnv": B}, axis=1)`` has, a
            string is a top level: all its columns.
            A scalar gives text vectorisers and functions a one-dimensional column, and all that
            take features one in two dimensions.
    normalize : {"cosine", "trace", "center"} or None, default="cosine"
        What is done to each kernel, learned from the training samples:

        - "cosine": k(x, z) / sqrt(k(x, x) k(z, z)), samples on the unit sphere; a sample of norm 0
          stays at 0;
        - "trace": k(x, z) divided by the mean of k(t, t) over the training samples;
        - "center": as :class:`sklearn.preprocessing.KernelCenterer`; a new sample then needs its
          kernel values with all training samples, whichever are asked for;
        - None: nothing.
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack an entry's modality, in `fit` or later: they are
        refused, compared by what both of two samples have, or the modality's features are predicted
        from what else they have. See the notes.
    n_jobs : int, default=None
        Kernels to fit, prepare and evaluate at the same time.
    verbose : bool, default=False
        Whether to print what "auto" has chosen, and by what.

    Attributes
    ----------
    auto_kernels_ : dict of str to kernel
        What "auto" stands for in the entries that ask for it, by their names: kernels or
        pipelines, not fitted.
    imputation_scores_ : dict of str to float
        With ``missing="impute"``: how well each entry's features are predicted from the other
        modalities. It is the mean cosine, over (at most 200) training samples, between what is
        predicted by leaving the sample out and what is true, both less the mean: 1 is perfect, 0
        says nothing; NaN where no two samples have the entry and any of the others.
    kernels_ : list of m kernels
        Fitted.
    kernel_names_ : list of m str
        The names in the stacks, such as ``"accel:rbf(gamma=0.1)"``.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings. New samples then need those that the
        kernels see, in any order.

    See Also
    --------
    Kernelizer : Several kernels of the same features.
    sklearn.compose.make_column_selector : Columns by their dtype or a pattern in their names.

    Notes
    -----
    "auto" looks at the training samples, their dtypes before all, and is

    - for columns of numbers: ``StandardScaler``, and the sum of `LinearKernel`, divided by the
      number of columns that vary, and `RBFKernel`: what is linear is learned from few samples, of
      many columns too, and what is not linear still is (the page on defaults has the figures).
      Scaled, because columns in different units have no distance in common. Missing cells, in
      training and later, are filled by the mean of their column in training before, and a
      :class:`~mkfusion.MissingCellsWarning` says how many: a gap does not change the kernel;
    - for strings, booleans and unordered categoricals: `OverlapKernel`;
    - for mixtures of both, ordered categoricals, dates and durations, in any library's dtype:
      `ClinicalKernel`;
    - for sequences of letters, as of DNA or proteins: `WeightedDegreeKernel`, which compares place
      by place, where all training samples have one length, so that new ones must have it too;
      `SpectrumKernel`, which does not ask where, of different lengths. Name the latter for
      sequences of one length that are not aligned, such as reads. They are a list of strings, or a
      single column of them, most samples with one of their own and at least ten different, half of
      8 letters or more (what all begin with does not count), of nothing but letters and gaps ("-",
      "*"): at most ten different letters, or those of amino acids in one case, with 1 % others;
    - for texts: ``TfidfVectorizer`` and `CosineKernel`. They are a list of other strings, or a
      single column of them, with more than 40 different ones; or with fewer, if most samples have
      one of their own and it has three words or more. Texts beside other columns are refused;
    - for images, (n_samples, height, width, 3) or gray (n_samples, height, width, 1), or a list of
      them, and gray ones of bytes, (n_samples, height, width), of 8 x 8 pixels or more: the mean of
      the :class:`ImageKernel` of colour, of texture and of edges;
    - for signals, (n_samples, n_channels, n_timesteps) or a list of (n_channels, n_timesteps):
      `GlobalAlignmentKernel`;
    - for sparse matrices: `CosineKernel`.

    The names of the stack's kernels, `auto_kernels_` and ``verbose=True`` say which it was.
    Another fold may lead to another choice: name the kernel to settle it.

    **Missing modalities.** A sample lacks an entry's modality where :class:`~mkfusion.Modalities`
    says so, or where all its columns are gaps (None, NaN) in a table. New samples may lack a whole
    modality: ``Modalities(accel=A)``, or ``gyro=None``. A row with some gaps is there, and its gaps
    are left to the kernel. Kernels (and transformers before them) are fitted on the training
    samples that have the modality, and so is `normalize`. What becomes of the others:

    - "error": they are refused, unless the entry's kernels have an answer of their own, as
      `ClinicalKernel` has, or a pipeline that begins with a ``SimpleImputer``.
    - "marginalise": two samples are compared by what both have. With a_ik = 1 if sample i has the
      entry of kernel k, else 0, and s_i^2 the share of the entries that it has, kernel k becomes::

          K'_k[i, j] = a_ik a_jk K_k[i, j] / (s_i s_j).

      It stays positive semi-definite: a kernel with rows and columns of zeros, scaled on both sides
      alike. So does every sum with non-negative weights, and samples that have everything keep
      their values with each other. The mean of cosine-normalised kernels with one kernel to an
      entry keeps K(i, i) = 1: it is divided by the geometric mean of the shares that i and j have.
      (Dividing by the share that *both* have is not positive semi-definite.) With
      ``normalize="center"``, the 0 of a missing modality is the mean of the training samples. What
      is left of a model where a modality is missing was not made to stand alone unless training
      samples lack it too: where few do, it is less accurate than a model without that modality, by
      up to 0.24 on four data sets (see the guide to kernels). A
      :class:`~mkfusion.MissingModalityWarning` says so where less than a fifth do. Take "impute"
      then, or :class:`LateFusionClassifier` with ``missing="marginalise"``.
    - "impute": kernel regression predicts the modality's features, whatever the modality is made
      of: phi_k(x_i) = sum_j A_ij phi_k(x_j) over training samples j that have it (among at most
      2000, evenly spaced), so that ``K'_k = A K_k A'``, positive semi-definite as well. A_i are the
      weights of ridge regression with an intercept on the mean of the kernels of the other
      entries that i has, scaled to a mean K(j, j) of 1; training samples j that lack some of these
      take part as in "marginalise". Each entry and each pattern of missing entries has a regression
      of its own, one factorisation, with a ridge chosen by leaving out one training sample at a
      time. A prediction is shrunk towards the mean of the training samples, and brings nothing that
      the other modalities do not say: it is no substitute for data. `imputation_scores_` tells how
      good it is.

    A sample without any entry's modality is refused, and so is an entry that no training sample
    has. Nothing is learned from new samples, and each is completed by itself.

    References
    ----------
    Liu, Wang, Yin, Dou and Zhang, "Absent multiple kernel learning", AAAI 2015: learning with
    samples that lack kernels. Bhadra, Kaski and Rousu, "Multi-view kernel completion", Machine
    Learning 106, 2017: rows of a kernel predicted from other kernels.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import ColumnKernelizer, Modalities, RBFKernel
    >>> rng = np.random.default_rng(0)
    >>> X = Modalities(accel=rng.normal(size=(5, 3)), gyro=rng.normal(size=(5, 2)))
    >>> kernelizer = ColumnKernelizer(
    ...     [
    ...         ("accel", [RBFKernel(gamma=0.1), RBFKernel(gamma=1.0)], "accel"),
    ...         ("gyro", "linear", "gyro"),
    ...     ]
    ... )
    >>> stack = kernelizer.fit_transform(X)
    >>> stack.shape
    (5, 5, 3)
    >>> stack.names
    ['accel:rbf(gamma=0.1)', 'accel:rbf(gamma=1.0)', 'gyro:linear']
    >>> kernelizer.transform(X[:2]).combine([0.5, 0.5, 0.0]).shape
    (2, 5)
    >>> kernels = [("accel", "auto", "accel"), ("gyro", "auto", "gyro")]
    >>> ColumnKernelizer(kernels, verbose=True).fit(X).kernel_names_  # doctest: +ELLIPSIS
    [ColumnKernelizer] accel: MeanFiller() + ... + (0.333333 * linear + rbf) for 3 numeric columns
    [ColumnKernelizer] gyro: MeanFiller() + ... + (0.5 * linear + rbf) for 2 numeric columns
    ['accel:0.333333 * linear + rbf', 'gyro:0.5 * linear + rbf']

    Without a gyroscope:

    >>> kernelizer.set_params(missing="impute").fit(X).transform(Modalities(accel=X["accel"])).shape
    (5, 5, 3)
    """

    def __init__(
        self,
        kernels: list[tuple[str, Any, Any]],
        *,
        normalize: str | None = "cosine",
        missing: str = "error",
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.kernels = kernels
        self.normalize = normalize
        self.missing = missing
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    def auto_kernels_(self) -> dict[str, Any]:
        check_is_fitted(self)
        return {entry.name: entry.specs[i] for entry in self._entries for i in entry.chosen}

    @property
    def imputation_scores_(self) -> dict[str, float]:
        check_is_fitted(self)
        if not isinstance(self._completion, Imputer):
            raise AttributeError('imputation_scores_ is there after fit with missing="impute".')
        columns = [entry.columns for entry in self._entries]
        others = np.array([[other != one for other in columns] for one in columns])
        names = [entry.name for entry in self._entries]
        return dict(zip(names, self._completion.scores(others), strict=True))

    def columns_seen(self, X: Any) -> list[list[Any]]:
        """Return what every kernel of the stack looks at in samples.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`, with columns in any order where these have names.

        Returns
        -------
        list of m lists
            For each kernel, as in `kernel_names_`, the name of its modality in `Modalities`, or the
            positions of its columns in X.

        Raises
        ------
        ValueError
            If X lacks columns or a modality that the kernels need.

        Examples
        --------
        >>> import numpy as np
        >>> from mkfusion import ColumnKernelizer
        >>> X = np.random.default_rng(0).normal(size=(5, 3))
        >>> kernels = [("a", ["rbf", "linear"], [0, 1]), ("b", "linear", [-1])]
        >>> ColumnKernelizer(kernels).fit(X).columns_seen(X)
        [[0, 1], [0, 1], [2]]
        """
        check_is_fitted(self)
        X = self._samples(X)
        seen: list[list[Any]] = []
        for entry in self._entries:
            asked = entry.columns
            if not isinstance(asked, str):
                # Columns that have names are found by them, whatever they were asked for by.
                named = asked.by_name or (asked.names is not None and column_names(X) is not None)
                asked = asked.names if named else asked.positions
            found = resolve_columns(X, asked, entry.name)
            positions = found if isinstance(found, str) else found.positions
            one = positions if isinstance(positions, list) else [positions]
            seen += [list(one) for _ in entry.specs]
        return seen

    @property
    def _named_kernels(self) -> list[tuple[str, Any]]:
        """Pairs (name, kernel), or the kernels themselves where they are malformed.

        Parameters must be readable then too: `fit` refuses them.
        """
        try:
            return [(name, kernel) for name, kernel, _ in self.kernels]
        except (TypeError, ValueError):
            return self.kernels  # type: ignore[return-value]

    @_named_kernels.setter
    def _named_kernels(self, pairs: list[tuple[str, Any]]) -> None:
        self.kernels = [
            (name, kernel, columns)
            for (name, kernel), (_, _, columns) in zip(pairs, self.kernels, strict=True)
        ]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, those of the kernels included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include ``name`` and ``name__parameter`` of each kernel.

        Returns
        -------
        dict
        """
        return self._get_params("_named_kernels", deep=deep)

    def set_params(self, **params: Any) -> ColumnKernelizer:
        """Set parameters, those of the kernels included.

        Parameters
        ----------
        **params : dict
            Under the names that `get_params` returns.

        Returns
        -------
        self : ColumnKernelizer
        """
        return self._set_params("_named_kernels", **params)

    def _samples(self, X: Any) -> Any:
        return X if isinstance(X, Modalities) else as_table(X)

    def _resolve(self, X: Any) -> list[Entry]:
        if self.missing not in MISSING:
            raise ValueError(
                f'missing is {shown(self.missing)}; expected "error", "marginalise" or "impute".'
            )
        check_entries(self.kernels, "kernels", ("(name, kernel, columns)",))
        self._validate_names([name for name, _, _ in self.kernels])
        entries = [
            Entry(name, as_list(kernel, name), resolve_columns(X, columns, name))
            for name, kernel, columns in self.kernels
        ]
        return [
            self._with_choices(X, entry._replace(within=names_within(X, entry.columns)))
            for entry in entries
        ]

    def _with_choices(self, X: Any, entry: Entry) -> Entry:
        """Replace "auto" by a kernel for the entry's part of the training samples."""
        chosen = tuple(
            i for i, spec in enumerate(entry.specs) if isinstance(spec, str) and spec == "auto"
        )
        if not chosen:
            return entry
        data = self._select(X, entry)
        if self.missing != "error":
            there = present_samples(data)
            refuse_unknown([entry.name], there[:, np.newaxis])
            data = those(there, data)
        choice = choose_kernel(data, entry.name)
        if self.verbose:
            print(f"[{type(self).__name__}] {entry.name}: {choice}")
        specs = [choice.kernel if i in chosen else spec for i, spec in enumerate(entry.specs)]
        return entry._replace(specs=specs, chosen=chosen)

    def _check_features(self, X: Any, *, reset: bool) -> None:
        if reset:
            remember_features(self, X)
            return
        several = isinstance(self._entries[0].columns, str)
        check_features(self, X, several=several)
        if several and self._completion is not None:
            asked = [str(entry.columns) for entry in self._entries]
            refuse_misnamed(X, asked, list(self.feature_names_in_))

    def _parts(self, X: Any, entries: Sequence[Entry], *, training: bool) -> Parts:
        allowed = self.missing != "error" if training else self._completion is not None
        data = [self._find(X, entry, allowed) for entry in entries]
        known = known_parts(data, num_samples(X))
        if not allowed:
            return Parts(data, None, self._blame(entries, data, known.present))
        refuse_empty([entry.name for entry in entries], known.present, training=training)
        if training and self.missing == "marginalise":
            self._advise(entries, known.present)
        return Parts(*known)

    @staticmethod
    def _advise(entries: Sequence[Entry], present: NDArray[np.bool_]) -> None:
        """Warn of what a model does not learn to do without."""
        rare = [
            entry.name
            for entry, share in zip(entries, (~present).mean(axis=0), strict=True)
            if share < _ENOUGH_WITHOUT
        ]
        others = {str(entry.columns) for entry in entries}
        if rare and len(others) > 1:
            warnings.warn(
                f"missing='marginalise', and less than {_ENOUGH_WITHOUT:.0%} of the training "
                f"samples lack {', '.join(map(shown, rare))}: samples that do are likely to be "
                "predicted worse than by a model without it. missing='impute' and "
                "LateFusionClassifier(missing='marginalise') came within 0.03 of that where new "
                "samples lacked one, on four data sets (python -m benchmarks missing).",
                MissingModalityWarning,
                stacklevel=2,
            )

    @staticmethod
    def _blame(
        entries: Sequence[Entry], data: Sequence[Any], present: NDArray[np.bool_]
    ) -> list[str | None]:
        """Refuse missing modalities, or return what to say where a kernel is left to try."""
        blame = []
        for entry, part, some in zip(entries, data, present.T, strict=True):
            modality = isinstance(entry.columns, str)
            what = f"modality {shown(entry.columns)}" if modality else f"entry {shown(entry.name)}"
            message = missing_message(what, some)
            if message and (part is None or not all(map(takes_gaps, entry.specs))):
                raise ValueError(message)
            blame.append(message)
        return blame

    def _find(self, X: Any, entry: Entry, allowed: bool) -> Any:
        """Return an entry's part of all samples, None where none has it."""
        if isinstance(entry.columns, str) and (allowed or entry.columns in X):
            if entry.columns not in X or X[entry.columns] is None:
                return None
        return self._select(X, entry)

    def _complete(
        self, fitted: Sequence[FittedKernel], entries: Sequence[Entry], parts: Parts
    ) -> Completion | None:
        if parts.present is None:
            return None
        index = np.repeat(np.arange(len(entries)), [len(entry.specs) for entry in entries])
        names = [entry.name for entry in entries]
        training = [training_view(one) for one in fitted]
        return COMPLETIONS[self.missing](training, index, parts.present, names)

    def _select(self, X: Any, entry: Entry) -> Any:
        return select_columns(X, entry.columns, entry.name, entry.within)

    def _sk_visual_block_(self) -> Any:
        return visual_block(self._named_kernels, [str(columns) for _, _, columns in self.kernels])
