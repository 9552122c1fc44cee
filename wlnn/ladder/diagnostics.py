"""What a landscape's ladders say of themselves, judged and in words; nothing is computed anew."""

from __future__ import annotations

from statistics import NormalDist

OVERLAP = 0.05  # least of two neighbours
HOT = 0.03  # by which the kinetic temperature of a rung may be off, ...
SURE = 0.99  # ... unless chance alone takes one so far off in more than 1 of 100 sound runs


def warnings(rungs: dict) -> list[str]:
    """What is wrong with the ladders of a landscape, in words; empty for sound ones."""
    found = []
    surely = _deviations(sum(len(ladder["temperature"]) for ladder in rungs["ladders"]))
    for number, ladder in enumerate(rungs["ladders"]):
        hot = [
            (abs(t - 1.0), t, beta)
            for t, error, beta in zip(
                ladder["temperature"], ladder["temperature_error"], ladder["beta"], strict=True
            )
            if t is not None and abs(t - 1.0) > max(HOT, surely * error)
        ]
        if hot:
            _, t, beta = max(hot)
            found.append(
                f"ladder {number}: {len(hot)} of its rungs not at temperature 1, worst {t:.3f} at "
                f"beta = {beta:.3g}: make ladder.dt or ladder.dt_cap smaller."
            )
        least = min(ladder["overlap"])
        if least < OVERLAP:
            found.append(
                f"ladder {number}: neighbours overlap by {least:.3f} only; make ladder.spacing "
                "smaller or ladder.steps larger."
            )
    if len(rungs["ladders"]) < 2:
        found.append("one ladder has no error bars, and its halves cannot be judged.")
    if not rungs["halves"]["agree"]:
        worst = max(abs(d) for d in rungs["halves"]["difference"] if d is not None)
        found.append(
            f"the two halves of the run differ by up to {worst:.2g} nats, more than the ladders "
            "among themselves: S is not in equilibrium; make ladder.steps larger."
        )
    starts = rungs.get("starts", {"agree": True})
    if not starts["agree"] and ("left_out" in starts or starts["largest"] is None):
        found.append(
            "ladders heated from trained networks differ from each other by more than their halves "
            "do: each is in a state of its own, and no number of this landscape can be believed."
        )
    elif not starts["agree"]:
        found.append(
            f"ladders heated from trained networks differ by {_apart(rungs['starts'])} from those "
            "that were cooled: they are in different states, and no number of this landscape can "
            "be believed."
        )
    return found


def _deviations(n: int) -> float:
    """Standard errors that the largest of ``n`` normal numbers exceeds in 1 - :data:`SURE`."""
    return NormalDist().inv_cdf(1 - (1 - SURE) / (2 * n))


def _apart(starts: dict) -> str:
    """How far two kinds of starts are from each other, in words."""
    words = (
        "nothing that both saw" if starts["largest"] is None else f"{starts['largest']:.2g} nats"
    )
    return words + (f" and {away:.2g} in y" if (away := starts.get("largest_y")) else "")


def in_words(rungs: dict) -> list[tuple[str, str]]:
    """The diagnostics of ``meta["rungs"]`` as pairs of name and text."""
    ladders = rungs["ladders"]
    counts = sorted({len(ladder["beta"]) for ladder in ladders})
    rates = [rate for ladder in ladders for rate in ladder["acceptance"]]
    overlap = min(min(ladder["overlap"]) for ladder in ladders)
    temperatures = [t for ladder in ladders for t in ladder["temperature"] if t is not None]
    number = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    coldest = max(max(ladder["beta"]) for ladder in ladders)
    lines = [("rungs", f"{number} a ladder, beta up to {coldest:.3g}")]
    if rates:
        lines.append(
            ("exchanges", f"{sum(rates) / len(rates):.0%} accepted, {min(rates):.0%} at least")
        )
    lines.append(("overlap of neighbours", f"{overlap:.2f} at least ({OVERLAP} is needed)"))
    if temperatures:
        lines.append(("temperature", f"{min(temperatures):.3f} to {max(temperatures):.3f}"))
    halved = max((max(ladder.get("halved", (0,))) for ladder in ladders), default=0)
    if halved:
        lines.append(("time step", f"down to 1/{2**halved} of c / sqrt(beta), where that heats"))
    aside = [overlap for ladder in ladders for overlap in ladder.get("overlap_aside", ())]
    if aside:
        cut = sum(overlap == 0 for overlap in aside)
        words = f"{len(aside) / len(ladders):.0f} rungs of each ladder"
        words += f", {cut} in all left out behind gaps" * bool(cut)
        lines.append(("off the ridge", f"{words}; errors hold what halves differ by there"))
    elif any("overlap_aside" in ladder for ladder in ladders):
        words = "no rungs: ladder.steps are too few for them, or the window holds none"
        lines.append(("off the ridge", words))
    descents = sum(ladder["descents"] for ladder in ladders)
    lines.append(("descents", f"{descents} replicas went from the first rung to the last"))
    known = [abs(d) for d in rungs["halves"]["difference"] if d is not None]
    if known:
        words = "agree" if rungs["halves"]["agree"] else "DISAGREE"
        dropped = f"after the first {rungs['dropped']:.0%}, which is dropped"
        lines.append(("halves", f"{words}: S differs by {max(known):.2g} nats at most, {dropped}"))
    starts = rungs.get("starts", {"largest": None})
    if starts.get("left_out"):
        numbers = ", ".join(str(number) for number in starts["left_out"])
        lines.append((
            "cooled ladders", f"{numbers}, left out: caught in states that weigh e^-"
            f"{starts['heavier']:.0f} of those of the heated ones at beta = {starts['beta']:.3g}",
        ))  # fmt: skip
    elif starts["largest"] is not None:
        words = "agree" if rungs["starts"]["agree"] else "DISAGREE"
        largest = f"{words}: heated ladders differ by {_apart(rungs['starts'])} at most"
        lines.append(("two kinds of starts", largest))
    lines += [("warning", text) for text in rungs["warnings"]]
    return lines
