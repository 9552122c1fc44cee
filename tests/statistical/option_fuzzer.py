"""Runs every command of `wlnn` with values that nobody should give; prints what went wrong as JSON.

    python option_fuzzer.py SEED PICKED      in an empty folder

A process of its own, because it limits its memory and sends itself Ctrl-C. It judges each command
by its exit status and its last line; ``test_fuzz_options.py`` looks at the verdicts.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from command_line import BALL, run

from wlnn.cli.main import COMMANDS, wlnn

MEMORY = 8 * 2**30
PATIENCE = 2.0  # seconds of work before Ctrl-C
SLOW = 40.0  # seconds that a command may take to end after all
ENDLESS = ("nan", "inf", "-inf", "1e300", "-1e300", "1e30")  # of a number: always refused
ODD = ("0", "-1", "0.5", "1e-300", "", " ", "abc", "1,2", "2..1", "1..2", "1e9", "3,3", "-5,-5",
       "٣", "0x10", "1_000", "a/b", "nowhere.csv", ".", "%s", "x" * 5000)  # fmt: skip
ENDINGS = {"report": "new.html"}  # of files that are no pictures
NUMBERS = {"N", "T", "X", "LO,HI", "LOW,HIGH", "N,N,..", "X,Y", "EPOCH", "CM"}  # by metavar
TYPES = {"number", "numbers", "integer", "integer range", "float", "float range"}
HEAVY = ("wlnn.wlmc.driver", "wlnn.wlmd.driver", "wlnn.canonical.langevin_loop", "scipy.stats",
         "wlnn.networks.compiled.one_weight", "wlnn.networks.compiled.fnn", "wlnn.training.run",
         "wlnn.report.plot", "wlnn.report.plot_maxent", "wlnn.report.plot_canonical",
         "wlnn.report.plot_training", "wlnn.maxent", "wlnn.reference")  # fmt: skip
NET = "--task spiral-classify --layers 1 --width 2 --points 8"
LAW = "--contexts 2 --weight-scale 1 --units 20 --steps 20 --processes 1"
TINY = {  # a cheap call of every command
    "sample": "--task ball.py:problem --steps 1000 --set wlmc.stages=5 --set wlmc.anchor_draws=0 "
              "--threads 1",
    "resume": "made", "info": "made", "plot": "made", "networks": "made --at 1,0",
    "status": "made", "export": "made", "report": "made", "compare": "made other",
    "place": "made net.npz", "devices": "",
    "merge": "made other", "canonical": "made", "llc": "made --rows 20",
    "advantage": "made trained",
    "probe": "--task spiral-regress --width 3 --points 6 --quick",
    "md": f"{NET} --steps 400 --set md.record=20 --threads 1",
    "seek": f"{NET} --evaluations 12000 --method langevin --threads 1",
    "train": f"{NET} --runs 2 --epochs 5 --processes 1",
    "tune": f"{NET} --runs 2 --epochs 5 --rates 2 --processes 1",
    "verify": "--case well", "tasks": "", "data": ".", "reproduce": "--table",
    "maxent solve": "--contexts 2 --weight-scale 1",
    "maxent sample": "--contexts 2 --units 30 --networks 5",
    "maxent train": LAW, "maxent compare": LAW,
    "maxent landscape": "--steps 20000 --threads 1",
}  # fmt: skip


def commands():
    """(words, command) of all that can be called."""
    for name in COMMANDS:
        command = wlnn.get_command(None, name)
        if isinstance(command, click.Group):
            for part, inner in command.commands.items():
                yield f"{name} {part}", inner
        else:
            yield name, command


def cases(seed: int, picked: int):
    """(command, option, value, whether it must be refused): all endless ones, some odd ones."""
    sure, odd = [], []
    for name, command in commands():
        for option in command.params:
            if not isinstance(option, click.Option) or option.is_flag:
                continue
            number = option.type.name in TYPES or option.metavar in NUMBERS
            if number and option.name != "data_seed":
                sure += [(name, option.opts[0], value, True) for value in ENDLESS]
            odd += [(name, option.opts[0], value, False) for value in ODD]
    return sure + random.Random(seed).sample(odd, min(picked, len(odd)))


def once(arguments: list[str], patience: float):
    """Status, what was said and seconds of a command that is sent Ctrl-C while it goes on."""
    ended, begun = threading.Event(), time.monotonic()

    def interrupt():
        while not ended.wait(patience):
            os.kill(os.getpid(), signal.SIGINT)

    watch = threading.Thread(target=interrupt, daemon=True)
    watch.start()
    try:
        found = run(*arguments)
        status, said = found.status, found.err
    except (KeyboardInterrupt, click.Abort):  # on the way out
        status, said = 130, ""
    except Exception as error:
        status, said = 1, f"Traceback of {type(error).__name__}: {error}"
    finally:
        ended.set()
        watch.join()
    return status, said, time.monotonic() - begun


def verdict(name: str, must_refuse: bool, status: int, said: str, seconds: float) -> str:
    """What is wrong with how a command ended, or nothing."""
    last = (said.strip().splitlines() or [""])[-1]
    allowed = (0, 1, 2, 130) if name == "verify" else (0, 2, 130)
    if status not in allowed:  # an error that Python ignored on the way to 130 is none
        return "a traceback"
    if must_refuse and status != 2:
        return "accepted"
    if status == 2 and not (last.startswith("wlnn: ") and last[-1] in ".?"):
        return "no sentence"
    return f"{seconds:.0f} s until it stopped" if seconds > SLOW else ""


def main(seed: int, picked: int) -> None:
    """All of it, in the present folder."""
    for module in HEAVY:  # an import that is cut short cannot be made again in the same process
        import_module(module)
    Path("ball.py").write_text(BALL)
    made = TINY["sample"].split()
    assert run("sample", *made, "--keep-networks", "--out", "made").status == 0
    assert run("sample", *made, "--seed", "1", "--out", "other").status == 0
    assert run("train", *TINY["train"].split(), "--out", "trained").status == 0
    Path("net.npz").write_bytes(b"")
    wrong, asked, before = [], cases(seed, picked), set(os.listdir("."))
    outs = {
        name: "new" if part.type.dir_okay else ENDINGS.get(name, "new.png")
        for name, command in commands()
        for part in command.params
        if part.name == "out"
    }
    for name, option, value, must_refuse in asked:
        words = TINY[name].split()
        if option in words:
            at = words.index(option)
            del words[at : at + 2]
        out = ["--out", outs.get(name, "")]
        arguments = [*name.split(), *words, f"{option}={value}"]
        arguments += out if name in outs and option != "--out" else []
        patience = 10 * SLOW if must_refuse else PATIENCE
        fault = verdict(name, must_refuse, *(ended := once(arguments, patience)))
        if fault:
            wrong.append((fault, " ".join(arguments)[:200], ended[1][-400:]))
            print(fault, "|", *wrong[-1][1:], sep=" ", file=sys.stderr, flush=True)
        for left in set(os.listdir(".")) - before:
            shutil.rmtree(left) if os.path.isdir(left) else os.unlink(left)
    print(json.dumps({"cases": len(asked), "wrong": wrong}))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    main(*map(int, sys.argv[1:]))
