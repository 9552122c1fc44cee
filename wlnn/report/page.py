"""One page of HTML about one run or several side by side, which needs nothing but itself.

Pictures are inside it, no address leads outside, and it says so to the browser. It is made of what
`runs/facts.py` found; nothing is computed or written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.text_table import INTERVAL
from wlnn.canonical.trajectories import Trajectories
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.overlap import overlap
from wlnn.landscape.tables import columns_of
from wlnn.report import canonical, compare, training
from wlnn.report.cite import citations
from wlnn.report.landscape import describe, summary, title_of, verdict_lines
from wlnn.report.page_style import CSS
from wlnn.report.plot_page import Picture, comparison, pictures
from wlnn.training.trained import Trained

ROWS = 20  # of the table of curves
NOTHING_OUTSIDE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
EARLY = 20  # records of molecular dynamics below which there are no averages yet


def page(runs: Sequence, refresh: int | None = None) -> str:
    """The page.

    Args:
        runs: ``runs.facts.RunFacts`` of each.
        refresh: seconds after which a browser reads it again, of a run that goes on.
    """
    names = [_name(run) for run in runs]
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    title = title_of(runs[0].result.meta.get("task", {}))
    if len(runs) > 1:
        title = f"{len(runs)} runs: {', '.join(names)}"
    parts = [f"<h1>{escape(title)}</h1>", *_head(runs)]
    if len(runs) > 1:
        parts += _against_the_first(runs, names)
    parts += _section("What came out", names, [_says(run.result) for run in runs])
    drawn = [_pictures(run.result) for run in runs]
    for heading in dict.fromkeys(picture.title for each in drawn for picture in each):
        cells = ["".join(_image(p) for p in each if p.title == heading) for each in drawn]
        if heading == "Curves":
            cells = [a + _curves(run.result) for a, run in zip(cells, runs, strict=True)]
        parts += _section(heading, names, cells)
    parts += _section("Settings", names, [_settings(run) for run in runs])
    parts += _section("Seeds and versions", names, [_versions(run) for run in runs])
    parts += _section("Files", names, [_files(run) for run in runs])
    parts += _section("Make it again", names, [_command(run) for run in runs])
    cited = dict.fromkeys(c for run in runs for c in citations(run.result.meta.get("task", {})))
    parts += ["<h2>How to cite</h2>", *(f"<p>{escape(one)}</p>" for one in cited)]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{NOTHING_OUTSIDE}">\n{again}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>wlnn: {escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _name(run) -> str:
    path = Path(run.path)
    return (path.resolve().name if path.is_dir() else path.name) or str(path)


def _section(heading: str, names: Sequence[str], cells: Sequence[str]) -> list[str]:
    """A heading and one cell for each run, side by side where there is room."""
    if not any(cells):
        return []
    one = len(cells) == 1
    labels = compare.letters(len(names))
    inner = [
        f"<div>{'' if one else f'<h3>{label}  {escape(name)}</h3>'}{cell}</div>"
        for label, name, cell in zip(labels, names, cells, strict=True)
    ]
    kind = "side one" if one else "side"
    return [f"<h2>{heading}</h2>", f'<div class="{kind}">{"".join(inner)}</div>']


def _head(runs: Sequence) -> list[str]:
    """Who made it and the verdict, of each run."""
    lines = []
    for label, run in zip(compare.letters(len(runs)), runs, strict=True):
        result = run.result
        said = f"{label}  " * (len(runs) > 1)
        if isinstance(result, Landscape):
            title, notes = describe(result)
            said += f"{title}: {notes}" if len(runs) > 1 else notes
        else:
            said += title_of(result.meta.get("task", {}))
        if not run.finished:
            said += "; not finished"
        lines.append(f'<p class="soft">{escape(said)}</p>')
        if isinstance(result, Landscape):
            verdict = "<br>".join(escape(line) for line in verdict_lines(result, "Verdict"))
            lines.append(f'<p class="verdict">{verdict}</p>')
    return lines


def _against_the_first(runs: Sequence, names: Sequence[str]) -> list[str]:
    """Picture and words of a comparison; nothing where runs have no landscape or share no row."""
    landscapes = [run.result for run in runs]
    if not all(isinstance(one, Landscape) for one in landscapes):
        return []
    try:
        found = overlap(landscapes, names)
    except UserError as error:
        return [f'<p class="soft">{escape(str(error))}</p>']
    lines = [*compare.notes_of(landscapes, found), *compare.verdicts(landscapes, found)]
    picture = comparison(landscapes, names, found)
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return ["<h2>Against the first</h2>", _image(picture), said]


def _pictures(result) -> list[Picture]:
    early = isinstance(result, Trajectories) and result.records.shape[1] < EARLY
    empty = isinstance(result, Landscape) and np.isnan(result.entropy).all()
    return [] if early or empty else pictures(result)


def _image(picture: Picture) -> str:
    return (
        f'<div class="wide{" broad" * (picture.title != "Landscape")}">'
        f'<picture><source media="screen and (prefers-color-scheme: dark)" srcset="{picture.dark}">'
        f'<img alt="{escape(picture.title)}" src="{picture.light}"></picture></div>'
    )


def _says(result) -> str:
    """What `wlnn info` says."""
    if isinstance(result, Landscape):
        lines = summary(result)[2:]
        pairs: list[list[str]] = []
        for line in lines[: lines.index("")]:
            name, text = line[2:24].strip(), line[24:]
            if name or not pairs:
                pairs.append([name, text])
            else:
                pairs[-1][1] += f" {text}"
        return _list([pair for pair in pairs if pair[0] != "verdict"])  # it stands above
    if isinstance(result, Trained):
        y = result.meta["task"]["y"]
        return _pre([*training.in_words(result, y), "", *training.curve_in_words(result, y)])
    if isinstance(result, Trajectories):
        enough = result.records.shape[1] >= EARLY
        return _pre(canonical.motion(result) if enough else ["too few records so far"])
    return _pre(result.table())


def _curves(result) -> str:
    """The curves of a landscape as a table."""
    if not isinstance(result, Landscape):
        return ""
    table, factor = columns_of(result, "curves"), result.t_factor()
    n = len(table["x"])
    chosen = np.unique(np.linspace(0, n - 1, min(n, ROWS)).round().astype(int))[::-1]
    shown = [("x", result.grid.x.name, ".3f"), ("S", "S (nats per row)", ".2f")]
    if "equilibrium" in table:
        shown += [
            ("equilibrium", "equilibrium", ".3f"),
            ("maximum_entropy", "at maximum entropy", ".3f"),
        ]
    rows = [[label for _, label, _ in shown] + ["reliable"]]
    for k in chosen:
        cells = []
        for name, _, form in shown:
            half = factor * table.get(f"{name}_error", np.full(n, np.nan))[k]
            cell = format(table[name][k], form)
            cells.append(cell + (f" ± {format(half, form)}" if np.isfinite(half) else ""))
        rows.append([*cells, "yes" if table["reliable"][k] else "no"])
    note = f'<p class="soft">{INTERVAL}</p>' if result.n_walkers > 1 else ""
    return _table(rows, numbers=True) + note


def _settings(run) -> str:
    """Every section that the run read, folded away but for a click."""
    parts = []
    for section, options in run.settings.items():
        pairs = [(name, str(value)) for name, value in options.items()]
        parts.append(f"<details open><summary>{escape(section)}</summary>{_list(pairs)}</details>")
    return f'<div class="settings">{"".join(parts)}</div>' if parts else ""


def _versions(run) -> str:
    pairs = [("seeds", run.seeds or "not known")]
    for versions in run.versions:
        pairs.append(("made by", ", ".join(f"{name} {value}" for name, value in versions.items())))
    return _list(pairs)


def _files(run) -> str:
    if not run.files:
        return '<p class="soft">sums are computed when the run is finished</p>'
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="number">{size:,}</td><td><code>{digest}</code></td>'
        "</tr>"
        for name, size, digest in run.files
    )
    head = '<tr><th>file</th><th class="number">bytes</th><th>SHA-256</th></tr>'
    return f'<div class="wide"><table>{head}{rows}</table></div>'


def _command(run) -> str:
    if run.known:
        return f'<pre class="fold">{escape(run.command)}</pre>'
    return f"<p>{escape(run.command)}</p>"


def _table(rows: Sequence[Sequence[str]], numbers: bool) -> str:
    kind = ' class="number"' if numbers else ""
    head = "".join(f"<th{kind}>{escape(cell)}</th>" for cell in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows[1:]
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _list(pairs) -> str:
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs)
    return f"<dl>{inner}</dl>"


def _pre(lines: Sequence[str]) -> str:
    return f"<pre>{escape(chr(10).join(lines))}</pre>"
