"""`wlnn`: the command line. Finds a command, runs it, and turns mistakes into one sentence.

The commands are in the files named below, which load nothing heavy before they are used.
"""

from __future__ import annotations

import difflib
import signal
import sys
import threading
from importlib import import_module

import click

from wlnn import __version__
from wlnn.backend.device import DeviceError
from wlnn.base.errors import UserError
from wlnn.base.signals import SIGNALS
from wlnn.cli.options import STOPPED

COMMANDS = {  # in the order of the help
    "tasks": "wlnn.cli.sample:tasks",
    "data": "wlnn.cli.data:data",
    "sample": "wlnn.cli.sample:sample",
    "resume": "wlnn.cli.runs:resume",
    "status": "wlnn.cli.campaign:status",
    "probe": "wlnn.cli.sample:probe",
    "md": "wlnn.cli.canonical:md",
    "canonical": "wlnn.cli.canonical:canonical",
    "llc": "wlnn.cli.llc:llc",
    "seek": "wlnn.cli.search:seek",
    "info": "wlnn.cli.results:info",
    "plot": "wlnn.cli.results:plot",
    "export": "wlnn.cli.export:export",
    "report": "wlnn.cli.report:report",
    "compare": "wlnn.cli.compare:compare",
    "networks": "wlnn.cli.results:networks",
    "place": "wlnn.cli.place:place",
    "merge": "wlnn.cli.results:merge",
    "train": "wlnn.cli.train:train",
    "tune": "wlnn.cli.train:tune",
    "advantage": "wlnn.cli.advantage:advantage",
    "reproduce": "wlnn.cli.reproduce:reproduce",
    "verify": "wlnn.cli.results:verify",
    "devices": "wlnn.cli.devices:devices",
    "maxent": "wlnn.cli.maxent:maxent",
}
MISTAKE = 2  # exit status
MEANT = {  # what other programs call an option
    "--gpu": "--device", "--cuda": "--device", "--cores": "--threads", "--jobs": "--threads",
    "--workers": "--threads", "--cluster": "--on", "--lr": "--learning-rate",
}  # fmt: skip
LIKE = 0.7  # of two words, from which on one is suggested for the other


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx):
        """Names in the order of :data:`COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx, name):
        """The command, or None."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        return getattr(import_module(module), attribute)

    def resolve_command(self, ctx, args):
        """The command of the first word; a near one is named where there is none."""
        if args[0] not in COMMANDS and (near := difflib.get_close_matches(args[0], COMMANDS, 1)):
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{near[0]}'?")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, invoke_without_command=True)
@click.version_option(__version__, prog_name="wlnn")
@click.pass_context
def wlnn(ctx):
    """How many networks are there that fit, and how well do they generalise?

    wlnn measures the entropy landscape of a neural network: S(x, y), the logarithm of the volume of
    parameter space in which the training loss is L (x = ln L) and the test accuracy is y. The
    Wang-Landau method visits all of these macrostates alike, the rare ones too; the mean accuracy
    over all networks of one training loss, and the most likely one, follow from S.

    \b
    Begin with:
      wlnn sample --quick          a first look in about ten seconds
      wlnn info runs/...           what came out, and how far to trust it
      wlnn tasks                   what can be sampled, your own data and functions included

    Each command explains itself: wlnn COMMAND --help
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: status 0, 1 (a verification failed), 2 (a mistake), 130 (Ctrl-C).

    SIGTERM, which batch systems send before they kill, and SIGHUP, which a terminal sends when it
    is closed, end a command as Ctrl-C does; `nohup` has the last word.
    """
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.default_int_handler)
    try:
        _run(arguments)
    except (click.Abort, KeyboardInterrupt):  # the second, while the first was being told, too
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
        _fail("stopped.", STOPPED)


def _run(arguments: list[str] | None) -> None:
    """Run one command and exit; mistakes become a sentence, Ctrl-C is left to the caller."""
    try:
        sys.exit(wlnn.main(arguments, prog_name="wlnn", standalone_mode=False))
    except click.Abort:  # Ctrl-C, which is a RuntimeError to click
        raise
    except click.UsageError as error:
        if isinstance(error, click.NoSuchOption):  # --gpu is not much like --out
            known = [name for option in error.ctx.command.params for name in option.opts]
            near = difflib.get_close_matches(error.option_name, known, 3, LIKE)
            meant = MEANT.get(error.option_name)
            error.possibilities = [meant] if meant in known else near
        path = error.ctx.command_path if error.ctx else "wlnn"
        told = error.format_message().rstrip(".")
        _fail(f"{told}{' See' if told[-1] == '?' else '; see'} '{path} --help'.")
    except click.ClickException as error:
        _fail(error.format_message())
    except (UserError, DeviceError) as error:
        _fail(str(error))
    except MemoryError as error:
        _fail(f"not enough memory ({error}): take a smaller network, fewer points or wider bins.")
    except OSError as error:  # a name that is too long, a device that fails
        name, reason = str(error.filename or "a file"), (error.strerror or str(error)).lower()
        _fail(f"{name[:60]}{'...' * (len(name) > 60)}: {reason}.")
    except RuntimeError as error:  # Ctrl-C in a callback of the compiler, which swallowed it
        if "no compiled object yet" not in str(error):
            raise
        _fail("stopped.", STOPPED)


def _fail(sentence: str, status: int = MISTAKE) -> None:
    sentence = " ".join(sentence.split())
    print(f"wlnn: {sentence}{'.' * (sentence[-1] not in '.?')}", file=sys.stderr)
    sys.exit(status)
