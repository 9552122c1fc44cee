"""Claims of the paper beside what came out: the table of docs/results.md, and a figure's pictures.

Rows are made from the records that `wlnn reproduce` stores; nothing is computed here.
"""

from __future__ import annotations

import json
from pathlib import Path

from wlnn.base.errors import UserError
from wlnn.report.plot_canonical import plot_md
from wlnn.report.plot_training import plot_advantage, plot_differences, plot_endings, plot_widths
from wlnn.training.advantage import by_network
from wlnn.training.difference import record_of

HEAD = ("claim", "published", "ours", "verdict", "made by", "core-minutes")


def pictures(name: str, made) -> dict:
    """The pictures of a figure by the ends of their names, "" for the main one."""
    pairs, motions = made.pairs, made.motions
    if not pairs and not motions:
        return {}
    if motions:
        return {"": plot_md(motions[0])}
    record = record_of(pairs[0][0])
    if name == "fig1":
        found = {"a": plot_advantage(*pairs[0])}
        longest = pairs[0][1][0].epochs
        ends = [
            (f"{network}, {epochs} epochs", one)
            for epochs in (longest // 5, longest)
            for network, _, _, one in by_network(pairs, until=epochs)
        ]
        return found | ({"b": plot_endings(ends, record)} if ends else {})
    found, ends = {"": plot_widths(pairs)}, []
    if len({pair[0].meta["task"]["task"] for pair in pairs}) == 1:
        ends = [(parameters, one) for _, parameters, _, one in by_network(pairs)]
    return found | ({"-parameters": plot_differences(ends, record)} if len(ends) > 1 else {})


def read_records(folder) -> list[dict]:
    """The records fig*.json of a folder, in order; UserError if there is none, or a damaged one."""
    found = []
    for path in sorted(Path(folder).glob("fig*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            table([record])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: is no record of wlnn reproduce, or a damaged one.") from error
        found.append(record)
    if not found:
        raise UserError(f"{folder}: holds no fig*.json; make one with wlnn reproduce.")
    return found


def table(records: list[dict]) -> list[str]:
    """The lines of a Markdown table, one row a claim."""
    rows = [HEAD, ["---"] * len(HEAD)]
    for record in records:
        for number, claim in enumerate(record["claims"]):
            first = number == 0
            rows.append((
                claim["words"],
                f"{_published(claim)} ({claim['source']})",
                ours(claim) or "nothing was run",
                f"**{claim['verdict']}**" if claim["verdict"] == "fails" else claim["verdict"],
                f"`{record['command']}`" if first else "the same",
                f"{record['core_minutes']:.2g}" if first else "",
            ))  # fmt: skip
    return [f"| {' | '.join(row)} |" for row in rows]


def _published(claim: dict) -> str:
    value = claim["published"]
    return value if isinstance(value, str) else ", ".join(f"{number:.3f}" for number in value)


def ours(claim: dict) -> str:
    """What was measured, with 95 % intervals and, where nothing is decided, why."""
    return "; ".join(map(_number, claim["ours"]))


def _number(row: dict) -> str:
    value, half = row["value"], row["half"]
    where = [row["of"]] * bool(row["of"])
    where += [f"at ln L = {row['x']:.2f}"] if row["x"] is not None else []
    words = [] if value is None else [f"{value:+.3f} ± {half:.3f}" if half else f"{value:+.3f}"]
    words += [row["why"]] * bool(row["why"])
    return ": ".join([" ".join(where), ", ".join(words)] if where else words)


def lines(record: dict) -> list[str]:
    """A record as it is printed."""
    found = [f"{record['title']} ({record['command']})"]
    for claim in record["claims"]:
        found += [claim["words"], f"  published: {_published(claim)} ({claim['source']})"]
        found += [f"  ours: {_number(row)}" for row in claim["ours"]]
        found += [f"  verdict: {claim['verdict']}"]
    found += [f"left out: {sentence}" for sentence in record["left_out"]]
    return [*found, "± is half the 95 % interval", f"{record['core_minutes']:.2g} core-minutes"]
