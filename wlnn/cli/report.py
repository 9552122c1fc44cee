"""`wlnn report`, and the page that `wlnn sample --live` keeps up to date. It parses and calls."""

from __future__ import annotations

import time
from pathlib import Path

import click

from wlnn.base.errors import UserError

PAUSE = 20  # a page is made anew after so many times what the last one took: 5 % of the time
LEAST = 5.0  # seconds between two pages, as between two checkpoints
REFRESH = 10  # seconds after which a browser reads the page of a run that goes on


@click.command(short_help="A page about runs, with everything in one file.")
@click.argument("results", nargs=-1, required=True, type=click.Path())
@click.option("--out", type=click.Path(dir_okay=False),
              help="The page [report.html, of one run in its directory].")  # fmt: skip
def report(results, out):
    """Write one HTML page about a run, or about several side by side, to read, send and print.

    Verdict, pictures, curves with 95 % bands, diagnostics, settings, seeds, versions, files with
    their SHA-256, how to cite, and the command that makes the run again. The page needs no other
    file and no network; it follows the light or dark setting of the reader. Of several landscapes
    it also shows the differences, as `wlnn compare` does. Works on runs that still go on;
    `wlnn sample --live` keeps such a page up to date.

    \b
      wlnn report runs/spiral-classify-3x6-s0
      wlnn report runs/a runs/b --out both.html
    """
    from wlnn.runs.facts import PAGE, facts_of

    facts = [facts_of(result) for result in results]
    folder = Path(results[0])
    if out is None:
        out = folder / PAGE if len(results) == 1 and folder.is_dir() else Path(PAGE)
    click.echo(_write(facts, Path(out)))


def _write(facts, path: Path, refresh: int | None = None) -> Path:
    from wlnn.report.export import write_text
    from wlnn.report.page import page

    return write_text(path, page(facts, refresh))


class LivePage:
    """Hands reports of a run on, and writes its page when there are new checkpoints.

    The page never stops a run: what it cannot be made of is told once.
    """

    def __init__(self, directory: Path, report):
        self.directory, self.report = Path(directory), report
        self.due, self.seen, self.told = 0.0, 0, False

    def __call__(self, state) -> None:
        """Of a :class:`wlnn.base.running.Report`."""
        self.report(state)
        if time.monotonic() < self.due:
            return
        stamps = [path.stat().st_mtime_ns for path in self.directory.glob("walker*.npz")]
        if max(stamps, default=0) > self.seen:
            self.seen = max(stamps)
            self.write(REFRESH)

    def write(self, refresh: int | None = None) -> Path | None:
        """The page of the run as it is now; None where it cannot be made."""
        from wlnn.base.running import Report
        from wlnn.runs.facts import PAGE, facts_of

        begun, path = time.monotonic(), None
        try:
            facts = facts_of(self.directory, sums=refresh is None)
            path = _write([facts], self.directory / PAGE, refresh)
        except UserError:  # no checkpoint yet, or no room
            pass
        except Exception as error:  # a picture of few numbers; the run is worth more
            if not self.told:
                self.told = True
                self.report(Report(0.0, notes=(f"no page could be made: {error}",)))
        now = time.monotonic()
        self.due = now + max(LEAST, PAUSE * (now - begun))
        return path
