"""Trained networks against the equilibrium states that motion at a temperature visits.

A landscape knows the equilibrium test performance at every train loss, and for wide networks takes
long. Motion in the train loss at a temperature T (`wlnn md`) comes to the states that are typical
of one loss within minutes: the canonical ensemble is narrow in ln L. Walkers are the independent
units, as trainings are. Moves and trains nothing, draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wlnn.base.errors import UserError
from wlnn.canonical import columns
from wlnn.canonical.trajectories import Trajectories
from wlnn.training.difference import Difference, judged, same_task
from wlnn.training.trained import BIN_WIDTH, Trained, TrainedCurve


def compare_motion(
    runs: Sequence[Trajectories], trained: Trained, until: int | None = None
) -> Difference:
    """Equilibrium minus trained at the mean ln(train loss) of every run, from low to high loss.

    The trained curve is interpolated between the bins around that loss, with the larger of their
    errors and the smaller of their numbers of trainings; each walker's mean is moved to the common
    loss along it. ``source`` is the run. Runs at losses that trainings did not come to are left
    out. Reliable are those that trainings enough came to and that are ``settled``.

    Raises:
        UserError: another task, Newtonian motion, or no loss in common.
    """
    for run in runs:
        if run.meta["md"]["friction"] == 0:
            raise UserError("Newtonian motion keeps no temperature; give it friction.")
        if not all(same_task(run, part) for part in trained.parts):
            raise UserError("the motion and the trainings are of different tasks.")
    trained = trained.until(until)
    found = []
    for k, run in enumerate(runs):
        record, half = run.record, run.half()
        x = half[:, columns.LN_LOSS]
        y = half[:, columns.MEAN_ACCURACY if run.meta["accuracy"] else columns.MEAN_Y]
        around = _around(trained.curve(record), x.mean())
        if around is not None:
            value, slope, error, n, enough = around
            moved = (y - slope * (x - x.mean()))[:, None]
            safe = np.array([enough and run.settled()])
            at = np.array([x.mean()]), moved, np.array([value]), np.array([error]), np.array([n])
            found.append(judged(record, *at, safe, np.array([k])))
    if not found:
        raise UserError(
            "the trainings do not come to the train losses of the motion: nothing in common to "
            "compare; train longer, or move at another temperature."
        )
    order = np.argsort([one.x[0] for one in found])
    fields = zip(*(found[k] for k in order), strict=True)
    return Difference(*(np.concatenate(field) for field in fields))


def _around(curve: TrainedCurve, x: float) -> tuple | None:
    """Value, slope, error, trainings of a trained curve at x, and whether they are enough."""
    there = np.flatnonzero(curve.trainings > 0)
    there = there[np.argsort(curve.x[there])]
    k = int(np.searchsorted(curve.x[there], x))
    if not 0 < k < len(there):
        return None
    pair = there[k - 1 : k + 1]
    width, rise = np.diff(curve.x[pair])[0], np.diff(curve.value[pair])[0]
    if width > 3 * BIN_WIDTH:  # a gap in the trained curve
        return None
    slope = rise / width
    value = curve.value[pair[0]] + slope * (x - curve.x[pair[0]])
    n = curve.trainings[pair].min()
    return value, slope, curve.error[pair].max(), n, bool(curve.reliable[pair].all())
