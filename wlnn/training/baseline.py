"""Several sets of trainings of one network as one baseline: at each training loss the best of them.

The published curves of house prices are made so: three batch sizes, and the lowest test loss where
they overlap. The choice looks at the test set, which favours training: what equilibrium is better
by is a lower bound of its advantage over any single set. Trains nothing, knows no landscape.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis
from wlnn.training.trained import (
    BIN_WIDTH,
    FEWEST,
    SAME,
    Trained,
    TrainedCurve,
    recipe_words,
    sign_of,
)

LENGTHS = ("seed", "runs", "together", "epochs")  # settings of a training that are no choice of how


@dataclass(frozen=True)
class BestOf:
    """Sets of trainings as one curve; :func:`best_of` makes it. It has what the comparison with a
    landscape asks of a :class:`~wlnn.trained.Trained`.

    Attributes:
        parts: the sets.
        names: a short name of each, for tables.
    """

    parts: tuple[Trained, ...]
    names: tuple[str, ...]

    @property
    def meta(self) -> dict:
        """That of the first set: they are of one task."""
        return self.parts[0].meta

    @property
    def words(self) -> str:
        """How they were trained, in words."""
        settings = [part.meta.get("train", {}) for part in self.parts]
        return f"best of {len(self.parts)}: {recipe_words(*settings)}"

    @property
    def epochs(self) -> int:
        """Epochs of the longest."""
        return max(part.epochs for part in self.parts)

    @property
    def kept(self) -> np.ndarray:
        """Trainings bool that did not diverge, set after set."""
        return np.concatenate([part.kept for part in self.parts])

    def until(self, epoch: int | None) -> BestOf:
        """All sets, stopped after so many epochs (UserError if one was shorter)."""
        return replace(self, parts=tuple(part.until(epoch) for part in self.parts))

    def curve(self, y: str, width: float = BIN_WIDTH) -> TrainedCurve:
        """In each bin of ln(train loss) the curve of the set with the best mean ``y`` there.

        Only sets of which :data:`~wlnn.trained.FEWEST` trainings came to the bin are chosen from;
        where there is none, the set of which most came is taken, and the bin is not reliable. The
        error is that of the chosen mean alone and does not know of the choice. ``source`` tells
        the set of each bin, -1 where no training came.

        Raises:
            UserError: as :meth:`Trained.curve`.
        """
        curves = [(k, part.curve(y, width)) for k, part in enumerate(self.parts) if part.kept.any()]
        if not curves:
            raise UserError("all trainings diverged; take a smaller learning rate.")
        first = [round(curve.axis.lo / width) for _, curve in curves]
        low = min(first)
        n = max(begin + curve.axis.n for begin, (_, curve) in zip(first, curves, strict=True)) - low
        x, value, error = np.full((3, len(curves), n), np.nan)
        trainings = np.zeros((len(curves), n), int)
        for row, (begin, (_, curve)) in enumerate(zip(first, curves, strict=True)):
            place = np.s_[row, begin - low : begin - low + curve.axis.n]
            x[place], value[place], error[place], trainings[place] = curve[:4]
        enough = trainings >= FEWEST
        best = np.where(enough, sign_of(y) * value, -np.inf).argmax(axis=0)
        chosen = np.where(enough.any(axis=0), best, trainings.argmax(axis=0)), np.arange(n)
        source = np.array([k for k, _ in curves])[chosen[0]]
        axis = Axis("ln train loss", low * width, (low + n) * width, n)
        found = trainings[chosen]
        return TrainedCurve(
            x[chosen], value[chosen], error[chosen], found, axis, np.where(found > 0, source, -1)
        )


def best_of(trained: Sequence[Trained], names: Sequence[str] = ()) -> BestOf:
    """One baseline of several sets of trainings that differ in their hyper-parameters.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> runs = [
        ...     wlnn.run("spiral-classify", "train", **small, runs=6, epochs=20, batch_size=size)
        ...     for size in (2, 8)
        ... ]
        >>> best = wlnn.best_of(runs, ("two rows", "eight rows"))
        >>> best.words
        'best of 2: Adam, learning rate 0.001, batch 2 or 8'

    Args:
        names: of the sets, for tables and sentences; what they were trained with if empty.

    Raises:
        UserError: fewer than two, sets of different tasks, or sets that differ in seed and length
            alone: the best of those would be chance.
    """
    short = short_names(names) if names else ()
    names = tuple(names) or tuple(one.words for one in trained)
    if len(trained) < 2:
        raise UserError("the best of all needs two sets of trainings or more of every landscape.")
    seen: list[tuple[dict, str]] = []
    tasks = [one.meta.get("task", {}) for one in trained]
    for one, task, name in zip(trained, tasks, names, strict=True):
        if any(task.get(key) != tasks[0].get(key) for key in SAME):
            raise UserError(f"{name}: is of another task than {names[0]}.")
        settings = one.meta.get("train", {})
        how = {key: value for key, value in settings.items() if key not in LENGTHS}
        for other, other_name in seen:
            if how == other:
                raise UserError(
                    f"{other_name} and {name}: differ in seed and length at most; the best of them "
                    "would be chance, leave one out."
                )
        seen.append((how, name))
    return BestOf(tuple(trained), short or names)


def short_names(names: Sequence[str]) -> tuple[str, ...]:
    """What tells paths apart: their common first and last parts, by dash or slash, left out."""
    parts = [re.findall(r"[^-/]+[-/]*", name) for name in names]
    for turn in (1, -1):
        while min(map(len, parts)) > 1 and len({part[::turn][0] for part in parts}) == 1:
            parts = [part[::turn][1:][::turn] for part in parts]
    return tuple("".join(part).strip("-/") for part in parts)
