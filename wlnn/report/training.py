"""Trainings and their comparison with a landscape in words: lines and tables of text.

Returns text; prints nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wlnn.base.text_table import ERROR, aligned
from wlnn.canonical.advantage import compare_motion
from wlnn.canonical.trajectories import Trajectories
from wlnn.landscape.landscape import Landscape
from wlnn.report.landscape import verdict_lines
from wlnn.training.difference import (  # fmt: skip
    BETTER,
    UNDECIDED,
    WORSE,
    Difference,
    at,
    compare_trained,
    record_of,
)
from wlnn.training.endings import Ending, early_stop, endings, least
from wlnn.training.trained import FEWEST, Trained, best_epoch, over_trainings

VERDICTS = {BETTER: "better", UNDECIDED: "undecided", WORSE: "worse"}  # is the equilibrium


def in_words(trained: Trained, y: str) -> list[str]:
    """A few lines: how many trainings, which diverged, where they end, and early stopping."""
    lost = np.flatnonzero(~trained.kept)
    n = trained.n_runs
    shortest = int(trained.lengths[trained.kept].min(initial=trained.epochs))
    epochs = f"{shortest} to " * (shortest < trained.epochs) + str(trained.epochs)
    runs = f"{n} training{'s' * (n != 1)} of {epochs} epochs, {trained.words}"
    lines = [f"{runs}; {ERROR if n > 1 else 'one has no error'}", *_of_the_train_loss(trained)]
    if lost.size:
        first = ", ".join(str(run) for run in lost[:10]) + " ..." * (lost.size > 10)
        lines.append(f"{lost.size} of them diverged and are left out of every mean: number {first}")
    if not trained.kept.any():
        return lines
    x, last = trained.last(y)
    for name, values in (("ln-train-loss", x), (y, last)):
        finite = np.where(np.isfinite(values), values, np.nan)
        mean, error, n = over_trainings(finite)
        zero = f" ({(values == -np.inf).sum()} with zero loss left out)" * int(n < len(values))
        lines.append(f"  at the end: {name} {_with_error(mean, error)}{zero}")
    mean, error, x_mean, x_error = best_epoch(trained, y)
    lines.append(
        f"  at each training's best epoch: {y} {_with_error(mean, error)}, at ln-train-loss "
        f"{_with_error(x_mean, x_error, 2)}"
    )
    return lines


def _of_the_train_loss(trained: Trained) -> list[str]:
    """What the train loss of an epoch is, and what that does to the comparison, where it matters.

    Own trainings at the end of the epoch are the usual case, of which nothing is said.
    """
    how = trained.meta.get("train", {})
    if how.get("train_loss") == "running-mean":
        return [
            "  train loss: mean over the minibatches of each epoch, as the published baseline of",
            "  digits is. While it falls it is above that of the network tested at the end of it:",
            "  trained networks stand at too high an ln L, which favours training wherever",
            "  equilibrium improves as the loss falls",
        ]
    if "own" not in how:
        return []
    if how.get("train_loss") == "end":
        return ["  train loss: of the network at the end of each epoch, the one that is tested"]
    return [
        "  train loss: taken as that at the end of each epoch; nobody has said so. A log often has",
        "  the running mean of the epoch, which is higher: --train-loss end|running tells it",
    ]


def _with_error(value: float, error: float, digits: int = 3) -> str:
    """A mean with its standard error, which one training alone does not have."""
    return f"{value:.{digits}f}" + f" ± {error:.{digits}f}" * bool(np.isfinite(error))


def _known(error: float) -> str:
    """An error in a table, where a single training, or walker, has none."""
    return f"{error:.3f}" if np.isfinite(error) else "-"


def curve_in_words(trained: Trained, y: str, rows: int | None = 12) -> list[str]:
    """The curve as a table from high to low loss, of about ``rows`` bins (None: of all)."""
    curve = trained.curve(y)
    there = np.flatnonzero(curve.trainings)[::-1]
    if rows is not None and there.size > rows:
        there = there[np.unique(np.linspace(0, there.size - 1, rows).round().astype(int))]
    lines = [f"{'ln train loss':>13}  {'trained ' + y.replace('-', ' '):>28}  trainings"]
    for k in there:
        cell = _with_error(curve.value[k], curve.error[k])
        lines.append(f"{curve.x[k]:13.2f}  {cell:>28}  {curve.trainings[k]:9}")
    return [*lines, ERROR]


def table(difference: Difference, names: Sequence[str] = ()) -> list[str]:
    """One line per bin, from high to low loss, with 95 % intervals and the verdict.

    ``names`` of several sets that make one baseline: another column says which a bin is of.
    """
    lines = [["ln L", "equilibrium", "trained", "trainings", "difference", "95 %", ""]]
    if names:
        lines[0].insert(4, "from")
    order = np.argsort(difference.x)[::-1]
    for k in order:
        lines.append(cells(difference.one(k)))
        if names:
            lines[-1].insert(4, names[difference.source[k]])
    return [*aligned(lines, notes=True), f"{ERROR}; below 95 %: half the interval"]


def cells(one: Difference) -> list[str]:
    """The cells of one line of :func:`table`."""
    known = np.isfinite(one.half)
    return [
        f"{one.x:.2f}",
        f"{one.equilibrium:.3f} ± {_known(one.equilibrium_error)}",
        f"{one.trained:.3f} ± {_known(one.trained_error)}",
        str(int(one.trainings)),
        f"{one.difference:+.3f}",
        f"± {_known(one.half)}",
        (VERDICTS[int(one.verdict)] if known else "no interval") + " *" * (not one.reliable),
    ]


def advantage_in_words(one: Difference, record: str) -> str:
    """The difference in one line of words.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> trained = wlnn.run("spiral-classify", "train", **small, runs=6, epochs=200)
        >>> [(*_, ending)] = wlnn.by_network([(landscape, [trained])])
        >>> print(wlnn.advantage_in_words(ending, "test-accuracy"))
        test accuracy: equilibrium ..., trained ..., difference ... (95 %, ... standard errors): ...
    """
    verdict = VERDICTS[int(one.verdict)]
    values = (
        f"{record.replace('-', ' ')}: equilibrium {one.equilibrium:.3f}, trained "
        f"{one.trained:.3f}, difference {one.difference:+.3f}"
    )
    if not np.isfinite(one.half):
        why = "a single training has no error"
        if not np.isfinite(one.equilibrium_error):
            why = "one walker, or not all of them, came there"
        return f"{values}; no interval and no verdict: {why}"
    return (
        f"{values} ± {one.half:.3f} (95 %, "
        f"{abs(one.sigmas):.1f} standard errors): "
        f"{verdict if verdict == 'undecided' else f'equilibrium is {verdict}'}"
        + ("" if one.reliable else "; not reliable: few trainings, or such rows of the landscape")
    )


def report(landscape: Landscape, trained: Trained, until=None, where: float | None = None):
    """Lines about one landscape and its trainings: table, end of training, early stopping.

    ``trained`` may be a :class:`~wlnn.baseline.BestOf`.
    """
    record = record_of(landscape)
    difference = compare_trained(landscape, trained, until=until)
    names = trained.names

    def of(source) -> str:
        return f" of {names[source]}" if names else ""

    lines = [*table(difference, names), *verdict_lines(landscape), ""]
    if names:
        lines[-1:] = [
            f"from: at each ln L the best of {len(names)} on the test set. That favours training:",
            "  the advantage over each of them is at least this. The intervals ignore the choice:",
            "  'better' is on the safe side, 'worse' is said by chance up to "
            f"{len(names)} times as often as of one",
            "",
        ]
    if not difference.reliable.all():
        lines[-1:] = [
            f"* fewer than {FEWEST} trainings, or rows of the landscape that are not reliable: "
            "take it with care",
            "",
        ]
    ends = endings(landscape, trained, until)
    end = least(ends, record)
    if end.difference.trainings:
        few = any(other.difference.trainings < FEWEST <= end.difference.trainings for other in ends)
        among = f" of those with {FEWEST} trainings or more" if few else ""
        chosen = f"{of(end.source)}, whose advantage is the least{among}," if names else ","
        lines += [
            f"where training ends{chosen} mean ln L {end.difference.x:.2f}{_ending_notes(end)}",
            f"  {advantage_in_words(end.difference, record)}",
        ]
        lines += [_other_ending(other, names) for other in ends if other is not end]
    else:
        lines.append("no training comes to losses that every walker of the landscape knows")
    stop = early_stop(landscape, trained, until)
    lines += [
        f"best early stopping{of(stop.source)}, at ln L {stop.x:.2f} (of bins that half of the "
        "trainings come to)",
        f"  {advantage_in_words(stop, record)}",
    ]
    if where is not None:
        one = at(difference, where)
        lines += [f"at ln L {one.x:.2f}{of(one.source)}", f"  {advantage_in_words(one, record)}"]
    return lines


def motion_report(motions: Sequence[Trajectories], trained: Trained, until=None) -> list[str]:
    """Lines about runs of `wlnn md` and one set of trainings: a table over temperatures."""
    found = compare_motion(motions, trained, until)
    names = [f"T = {run.temperature:g}" for run in motions]
    metric = motions[0].record.replace("-", " ")
    lines = [f"{metric} of states that motion at a temperature visits, and of trainings"]
    lines += table(found, names)
    apart = [names[k] for k in range(len(motions)) if k not in found.source]
    if apart:
        lines.append(f"trainings do not come to the losses of {', '.join(apart)}")
    if not found.reliable.all():
        lines.append(
            f"* fewer than {FEWEST} trainings, averages that still change, walkers that keep to "
            "states of their own, or a kinetic temperature that is not T: take it with care"
        )
    return lines


def _other_ending(end: Ending, names: Sequence[str]) -> str:
    """One line about a set of trainings whose ending is not the one that counts."""
    one = end.difference
    if not one.trainings:
        return f"  {names[end.source]}: never at losses that every walker of the landscape knows"
    many = f"{one.trainings} training" + "s" * int(one.trainings != 1)
    few = f", of {many}" if one.trainings < FEWEST else ""
    verdict = VERDICTS[int(one.verdict)] if np.isfinite(one.half) else "no interval"
    return (
        f"  {names[end.source]}: at ln L {one.x:.2f} difference {one.difference:+.3f} ± "
        f"{_known(one.half)}, {verdict}{few}"
        f"{_ending_notes(end)}"
    )


def _ending_notes(end: Ending) -> str:
    notes = []
    if end.stopped:
        notes.append(f"{end.stopped} leave the landscape and are taken at their last epoch inside")
    if end.left_out:
        notes.append(f"{end.left_out} were never inside and are left out")
    return f" ({'; '.join(notes)})" if notes else ""
