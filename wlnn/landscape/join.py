"""Landscapes of one task with other seeds become one, of all their walkers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.statistics import standard_error
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.merge import as_list
from wlnn.landscape.verdict import judge, with_verdict
from wlnn.landscape.windows import stitch


def seeds_of(landscape: Landscape) -> list[int]:
    """The seeds of a landscape, several if it was joined."""
    seeds = landscape.meta.get("seeds", {}).get("seed", landscape.settings.get("seed"))
    return seeds if isinstance(seeds, list) else [seeds]


def join_all(landscapes: Sequence[Landscape], names: Sequence[str]) -> tuple[Landscape, list[str]]:
    """Runs of one window joined, then the windows; and sentences on how well windows agree.

    Raises:
        UserError: as :func:`join` and :func:`wlnn.landscape.windows.stitch`.
    """
    windows: dict = {}
    for landscape, name in zip(landscapes, names, strict=True):
        windows.setdefault(landscape.grid, []).append((landscape, name))
    joined = [join(*zip(*runs, strict=True)) for runs in windows.values()]
    if len(joined) == 1:
        return joined[0], []
    for other in joined[1:]:
        _check_kind(other, joined[0], windows[other.grid][0][1], names[0])
    parts = [runs[0][1] for runs in windows.values()]
    for part, name in zip(joined, parts, strict=True):
        if part.contradicts_itself:
            raise UserError(
                f"{name}: has no numbers to go on with: its heated and cooled ladders are in "
                "different states (see wlnn info); leave it out."
            )
    whole, told = stitch(joined, parts)
    verdicts = [asdict(judge(part, window=True)) for part in joined]
    whole.meta["judged"] = [
        {"name": name, **{key: verdict[key] for key in ("word", "reason", "change")}}
        for name, verdict in zip(parts, verdicts, strict=True)
    ]
    return with_verdict(whole), told


def _check_kind(landscape: Landscape, first: Landscape, name: str, first_name: str) -> None:
    same = landscape.meta.get("task") == first.meta.get("task")
    if not same or landscape.measure != first.measure:
        raise UserError(f"{name}: samples another problem than {first_name}; leave it out.")
    if landscape.resampling != first.resampling:
        raise UserError(
            f"{name}: has error bars of another kind than {first_name} (wlmc.estimator); leave "
            "it out, or sample it again with the same."
        )


def join(landscapes: Sequence[Landscape], names: Sequence[str]) -> Landscape:
    """One landscape of all walkers of several runs of one problem with different seeds.

    Absolute entropies ("box", "draws") stay as they are; if any run has relative ones, all are
    aligned anew over the bins that every walker knows. Of runs with errors by jackknife, S is the
    mean over runs, each by its walkers. ``names`` are used in sentences.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> parts = [
        ...     wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000, seed=seed)
        ...     for seed in (0, 1)
        ... ]
        >>> wlnn.merge(parts, ("seed 0", "seed 1")).n_walkers
        8

    Raises:
        UserError: another problem, grid or measure, or the same seed twice.
    """
    first = landscapes[0]
    seeds: dict[int, str] = {}
    for landscape, name in zip(landscapes, names, strict=True):
        _check_kind(landscape, first, name, names[0])
        if landscape.grid != first.grid:
            raise UserError(f"{name}: has another grid than {names[0]}; leave it out.")
        for seed in seeds_of(landscape):
            if seed in seeds:
                raise UserError(
                    f"{name}: has seed {seed} like {seeds[seed]}, so the same walkers; leave it "
                    "out, or sample with another --seed."
                )
            seeds[seed] = name
    if first.resampling == "jackknife":
        entropies = _left_out(landscapes)
    else:
        entropies = np.concatenate([landscape.entropies for landscape in landscapes])
    gauges = {landscape.meta.get("gauge") for landscape in landscapes}
    meta = {**first.meta, "merged": list(names), "seeds": {"seed": list(seeds)}}
    for name, together in (("draws", _all_draws), ("halves", _both_halves)):
        found = together(landscapes)
        meta = {key: value for key, value in meta.items() if key != name} | found
    meta["finished"] = all(landscape.meta.get("finished", True) for landscape in landscapes)
    if gauges <= {"box", "draws"}:
        share = [landscape.n_walkers / len(entropies) for landscape in landscapes]
        errors = [landscape.meta.get("anchor_error", 0.0) for landscape in landscapes]
        meta["anchor_error"] = float(np.hypot.reduce(np.multiply(share, errors)))
        meta["gauge"] = gauges.pop() if len(gauges) == 1 else "draws"
    elif gauges == {"mean"}:
        safe = np.all([landscape.reliable for landscape in landscapes], axis=0)
        if safe.any():
            entropies = entropies - entropies[:, safe].mean(axis=1)[:, None, None]
    else:
        common = ~np.isnan(entropies).any(axis=0)
        if common.any():
            from scipy.special import logsumexp

            entropies = entropies - logsumexp(entropies[:, common], axis=1)[:, None, None]
        meta.pop("anchor_error", None)
        meta["gauge"] = "window"
    if all("rungs" in landscape.meta for landscape in landscapes):
        meta["rungs"] = _rungs([landscape.meta["rungs"] for landscape in landscapes], names)
    names = set.intersection(*(set(landscape.history) for landscape in landscapes))
    history = {}
    for name in sorted(names):
        stages = min(landscape.history[name].shape[1] for landscape in landscapes)
        parts = [landscape.history[name][:, :stages] for landscape in landscapes]
        history[name] = np.concatenate(parts)
    joint = Landscape(
        first.grid,
        entropies,
        sum(landscape.visits for landscape in landscapes),
        np.all([landscape.reliable for landscape in landscapes], axis=0),
        meta,
        history,
        next((landscape.networks for landscape in landscapes if landscape.networks), {}),
        _mean_accuracy(landscapes),
        _mean_lag(landscapes),
    )
    return with_verdict(joint)


def _all_draws(landscapes: Sequence[Landscape]) -> dict:
    """The uniform draws of all runs, as ``landscape.merge`` stores them."""
    draws = [landscape.meta.get("draws") for landscape in landscapes]
    if not all(draws):
        return {}
    n = sum(part["n"] for part in draws)
    found = {"n": n, "outside_window": sum(p["n"] * p["outside_window"] for p in draws) / n}
    if all("rows" in part for part in draws):
        found["rows"] = np.sum([part["rows"] for part in draws], axis=0).tolist()
    return {"draws": found}


def _both_halves(landscapes: Sequence[Landscape]) -> dict:
    """The two halves of all runs, as ``landscape.merge`` stores them: the mean over walkers."""
    halves = [landscape.meta.get("halves") for landscape in landscapes]
    if not all(halves):
        return {}
    share = np.array([landscape.n_walkers for landscape in landscapes], dtype=float)
    share = (share / share.sum())[:, None]
    parts = {name: np.array([one[name] for one in halves], float) for name in halves[0]}
    difference = (share * parts["difference"]).sum(axis=0)
    error = np.sqrt(((share * parts["error"]) ** 2).sum(axis=0))
    if np.isnan(error).all() and len(landscapes) > 1:  # runs of one walker each
        error = standard_error(parts["difference"])
    return {"halves": {"difference": as_list(difference), "error": as_list(error)}}


def _left_out(landscapes: Sequence[Landscape]) -> np.ndarray:
    """S of all runs without one walker each ``(R, nx, ny)``, R the walkers of all runs.

    The runs' own jackknife variances add up to that of the whole: hence the factor of each.
    NaN where a run has no S.
    """
    n = sum(landscape.n_walkers for landscape in landscapes)
    shares = [landscape.n_walkers / n for landscape in landscapes]
    mean = sum(share * part.entropy for share, part in zip(shares, landscapes, strict=True))
    parts = []
    for share, landscape in zip(shares, landscapes, strict=True):
        r = landscape.n_walkers
        factor = share * np.sqrt((r - 1) / r * n / (n - 1))
        parts.append(mean + factor * (landscape.entropies - landscape.entropy))
    return np.concatenate(parts)


def _rungs(parts: Sequence[dict], names: Sequence[str]) -> dict:
    """Diagnostics of all ladders of several runs, as ``ladder.estimate`` gives those of one.

    The halves' difference by row is the mean over the runs, each by its ladders. Halves and starts
    agree if they do in every run; a warning begins with the name of its run.
    """
    counts = np.array([len(part["ladders"]) for part in parts], float)
    rows = [part["halves"]["difference"] for part in parts]
    rows = np.array([[np.nan if d is None else d for d in row] for row in rows])
    mean = counts @ rows / counts.sum()
    found = {
        "ladders": [ladder for part in parts for ladder in part["ladders"]],
        "dropped": max(part["dropped"] for part in parts),
        "halves": {
            "x": parts[0]["halves"]["x"],
            "difference": [None if np.isnan(d) else float(d) for d in mean],
            "agree": all(part["halves"]["agree"] for part in parts),
        },
        "warnings": [
            f"{name}: {text}"
            for name, part in zip(names, parts, strict=True)
            for text in part["warnings"]
        ],
    }
    starts = [part["starts"] for part in parts if "starts" in part]
    if starts:
        found["starts"] = {"agree": all(start["agree"] for start in starts)}
        for name in ("largest", "largest_y"):
            each = [start[name] for start in starts if start.get(name) is not None]
            found["starts"][name] = max(each, default=None)
    return found


def _mean_lag(landscapes: Sequence[Landscape]) -> np.ndarray:
    """That of all runs: what all of them have yet to go does not become less by more of them."""
    parts = [landscape.lag for landscape in landscapes if landscape.lag.size]
    return np.mean(parts, axis=0) if parts else np.zeros((0, 0))


def _mean_accuracy(landscapes: Sequence[Landscape]) -> np.ndarray:
    """True accuracy of every bin over the visits of all runs; empty where y is no accuracy."""
    if not all(landscape.accuracy.size for landscape in landscapes):
        return np.zeros((0, 0))
    visits = sum(landscape.visits for landscape in landscapes)
    right = sum(np.nan_to_num(part.accuracy) * part.visits for part in landscapes)
    return np.where(visits > 0, right / np.maximum(visits, 1), np.nan)
