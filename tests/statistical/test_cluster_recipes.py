"""The recipes of docs/cluster.md, run as they stand there: scripts, a batch system of one machine,
jobs that share a folder and are killed.
"""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.join import join
from wlnn.landscape.landscape import Landscape
from wlnn.runs.status import states

pytestmark = pytest.mark.slow
RECIPES = Path(__file__).parents[2] / "examples" / "cluster"
OWN = '''
import time

import numpy as np
import wlnn


def squares(theta):
    """Plain Python: nothing is compiled."""
    return float(theta @ theta), float(theta[0])


grid = wlnn.Grid(wlnn.Axis("square", 0.0, 2.5, 5), wlnn.Axis("first", -1.0, 1.5, 5))
problem = wlnn.Problem("ball", -np.ones(3), np.ones(3), grid, squares)
'''
LENGTH = ("--walkers", "3", "--steps", "9000", "--set", "wlmc.stages=30",
          "--set", "wlmc.step_width=0.5", "--set", "wlmc.estimator=frozen")  # fmt: skip
SBATCH = """#!/bin/bash
# A batch system of one machine: every task of a job script at once, in the background.
array=0-0
[[ "$1" == --array=* ]] && { array="${1#--array=}"; shift; }
job="job-$$.sh"
cp "$1" "$job"  # as Slurm does: the caller may remove its own
shift
for ((k = ${array%-*}; k <= ${array#*-}; k++)); do
    SLURM_ARRAY_TASK_ID=$k SLURM_ARRAY_TASK_COUNT=$((${array#*-} + 1)) SLURM_CPUS_PER_TASK=1 \\
        bash "$job" "$@" > "job-$$-$k.log" 2>&1 < /dev/null &
done
echo "Submitted batch job $$"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a task in it, `wlnn` and a batch system on the path."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    Path("bin").mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", "#!/bin/bash\n")):
        Path("bin", name).write_text(text)
        Path("bin", name).chmod(0o755)
    path = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    return tmp_path


def study(seeds):
    text = 'task = "own.py:problem"\nwalkers = 2\nsteps = 900\n'
    text += f'seed = "0..{seeds - 1}"\n[wlmc]\nstages = 6\nstep_width = 0.5\n'
    Path("study.toml").write_text(text)


def shell(*words, **variables):
    return subprocess.run(
        words, env={**os.environ, **variables}, check=True, timeout=900, capture_output=True,
        text=True,
    )  # fmt: skip


def same(first, second):
    one, other = (Landscape.load(f"{folder}/landscape.npz") for folder in (first, second))
    np.testing.assert_array_equal(one.entropies, other.entropies)
    np.testing.assert_array_equal(one.visits, other.visits)


def alone():
    shell("wlnn", "sample", "--task", "own.py:problem", *LENGTH, "--out", "runs/alone")


TINY = ("--task", "spiral-classify", "--layers", "1", "--width", "2", "--points", "8")
COMMANDS = {
    "md": ("--temperature", "0.02", "--steps", "1000", "--walkers", "2", "--set", "md.record=20"),
    "seek": ("--evaluations", "400", "--runs", "2", "--replicas", "2", "--set", "seek.stretch=10",
             "--set", "md.record=10"),
    "train": ("--epochs", "20", "--runs", "4", "--set", "train.together=2"),
    "tune": ("--epochs", "5", "--runs", "2", "--rates", "2"),
    "sample": ("--walkers", "2", "--steps", "1000", "--set", "grid.y=smoothed-accuracy"),
}  # fmt: skip
SAID = re.compile(r"seconds|us_per_step|wlnn_meta|^\.")  # what differs from run to run


def arrays(folder):
    """All arrays of all files of a run, by file and name."""
    found = {}
    for path in Path(folder).rglob("*.npz"):
        with np.load(path) as file:
            for name in file.files:
                if not SAID.search(name):
                    found[f"{path.relative_to(folder)}: {name}"] = file[name].copy()
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_same_bits_on_processes(here, command):
    words = ("wlnn", command, *TINY, *COMMANDS[command])
    shell(*words, "--out", "one")
    told = shell(*words, "--on", "processes:2", "--out", "two").stderr
    assert "Traceback" not in told
    one, two = arrays("one"), arrays("two")
    assert one.keys() == two.keys()
    assert len(one) > 3
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)


def test_an_interrupt_waits_for_what_is_under_way(here):
    alone()
    words = ("wlnn", "sample", "--task", "own.py:problem", *LENGTH, "--out", "runs/stopped")
    job = subprocess.Popen([*words, "--on", "processes:2"], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not Path("runs/stopped/run.json").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    job.send_signal(signal.SIGINT)
    told = job.communicate(timeout=60)[1]
    assert job.returncode == 130, told
    assert "stopped; everything so far is saved" in told
    shell("wlnn", "resume", "runs/stopped", "--on", "processes:1")
    same("runs/alone", "runs/stopped")


def test_recipe_processes(here):
    alone()
    shell("bash", RECIPES / "processes.sh", "--task", "own.py:problem", *LENGTH, WORKERS="2")
    same("runs/alone", "runs/processes")


def test_recipe_dask(here):
    pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    pytest.importorskip("cryptography", reason="the extra 'dask' is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    alone()
    script = RECIPES / "dask.sh"
    shell("bash", script, "--task", "own.py:problem", *LENGTH, WORKERS="2", PORT=port)
    same("runs/alone", "runs/dask")
    assert Path("key.pem").stat().st_mode & 0o077 == 0


def test_workers_of_a_batch_system(here):
    if find_spec("dask_jobqueue") is None:  # its import would take Ctrl-C from the other tests
        pytest.skip("the extra 'dask' is not installed")
    text = (RECIPES / "cluster.yaml").read_text().replace("scale: 32", "scale: 2")
    Path("cluster.yaml").write_text(text)
    alone()
    shell("wlnn", "sample", "--task", "own.py:problem", *LENGTH, "--on", "dask:cluster.yaml",
          "--out", "runs/jobs")  # fmt: skip
    same("runs/alone", "runs/jobs")
    assert len(list(Path().glob("job-*.log"))) == 2


def made(logs):
    """How often each run was carried out, by what the jobs wrote."""
    text = "".join(path.read_text() for path in logs)
    begun = re.findall(r"^runs/study/(\S+): 2 walkers x", text, re.MULTILINE)
    return {name: begun.count(name) for name in begun}


def test_recipe_job_array(here):
    study(12)
    shell("sbatch", "--array=0-3", RECIPES / "array.sbatch", "study.toml")
    until = time.monotonic() + 240
    while time.monotonic() < until:
        time.sleep(0.5)
        logs = list(Path().glob("job-*.log"))
        if sum("done now" in path.read_text() for path in logs) == 4:
            break
    assert {one.state for one in states("runs/study")} == {"finished"}
    assert made(logs) == {f"seed-{k}": 1 for k in range(12)}
    shell("wlnn", "merge", *sorted(Path("runs/study").glob("seed-*")), "--out", "runs/all")
    assert Landscape.load("runs/all/landscape.npz").n_walkers == 24


def test_four_jobs_make_every_run_of_one_folder_once(here):
    """None has a share of its own: they meet at every run, and one of them is killed."""
    study(40)
    words = ("wlnn", "sample", "--config", "study.toml", "--threads", "1")
    logs = [Path(f"job-{k}.log") for k in range(5)]

    def job(k):
        with open(logs[k], "w") as log:
            return subprocess.Popen(words, stdout=log, stderr=log)

    jobs = [job(k) for k in range(4)]
    until = time.monotonic() + 240
    while not any("seed-2:" in log.read_text() for log in logs[:4]) and time.monotonic() < until:
        time.sleep(0.02)
    jobs[0].kill()
    for one in jobs:
        one.wait(240)
    job(4).wait(240)  # makes what the killed one had claimed, if nobody did
    assert {one.state for one in states("runs/study")} == {"finished"}
    counts = made(logs)
    assert sum(counts.values()) in (40, 41)  # that of the killed one was begun twice
    assert len(counts) == 40
    ended = re.findall(r"^runs/study/\S+/landscape.npz", "".join(p.read_text() for p in logs), re.M)
    assert len(ended) == len(set(ended)) >= 39


def test_a_parent_killed_twenty_times_loses_nothing(here):
    alone()
    words = ("wlnn", "sample", "--task", "own.py:problem", *LENGTH, "--on", "processes:2",
             "--out", "runs/killed")  # fmt: skip
    chance, parts = random.Random(0), []
    code = (
        "import wlnn.base.running as r, wlnn.base.pool as p, wlnn.cli.main as m\n"
        "r.SAVE_SECONDS = 0.0\np.STRETCH_SECONDS = 0.01\n"
        "import wlnn.base.engines as e\ne.NEAR_SECONDS = 0.02\nm.main()\n"
    )
    Path("often.py").write_text(
        f"if __name__ == '__main__':\n    {code.replace(chr(10), chr(10) + '    ')}\n"
    )
    for _ in range(20):
        job = subprocess.Popen([sys.executable, "often.py", *words[1:]], stderr=subprocess.DEVNULL)
        before = saved()
        until = time.monotonic() + 60
        while saved() == before and job.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(0.05 * chance.random())
        job.send_signal(signal.SIGKILL)
        job.wait()
        parts.append(saved())
    assert parts == sorted(parts)  # what was saved is never lost
    assert len(set(parts)) > 10
    shell(*words)
    same("runs/alone", "runs/killed")


def saved():
    """Stages of all checkpoints."""
    from wlnn.base import store

    found = 0
    for path in Path("runs/killed").glob("walker*.npz"):
        found += sum(walker["stage"] for walker in store.load(path)[1]["walkers"])
    return found


def five_hundred():
    """Runs of four walkers that find a truth with noise, and the truth."""
    grid, rng = Grid(Axis("x", 0.0, 1.0, 37), Axis("y", 0.0, 1.0, 41)), np.random.default_rng(0)
    visits, reliable = np.ones(grid.shape), np.ones(grid.shape, bool)
    truth = rng.normal(size=grid.shape)
    runs = [
        Landscape(
            grid, truth + rng.normal(size=(4, *grid.shape)), visits, reliable,
            {"task": {"task": "t"}, "gauge": "box", "wlmc": {"seed": seed, "steps": 1000},
             "sampler": "wlmc", "seeds": {"seed": [seed]}, "finished": True},
        )
        for seed in range(500)
    ]  # fmt: skip
    return runs, truth


def test_five_hundred_runs_are_merged_in_little_memory():
    runs, truth = five_hundred()
    size = sum(run.entropies.nbytes for run in runs)
    tracemalloc.start()
    joint = join(runs, [f"run-{k}" for k in range(500)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert joint.n_walkers == 2000
    assert peak < 4 * size  # measured: 3.2, with the verdict on it
    inside = np.abs(joint.entropies.mean(axis=0) - truth) < 5 / np.sqrt(2000)
    assert inside.all()


def test_the_command_merges_five_hundred_runs_in_seconds(here):
    runs, _ = five_hundred()
    folders = [f"many/{k}" for k in range(len(runs))]
    for folder, run in zip(folders, runs, strict=True):
        Path(folder).mkdir(parents=True)
        run.save(Path(folder, "landscape.npz"))
    program = """if True:
        import resource, subprocess, sys
        subprocess.run(["wlnn", "merge", *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(used.ru_utime + used.ru_stime, used.ru_maxrss)
    """  # a process of its own: a child begins with the memory of its parent
    seconds, kilobytes = map(float, shell(sys.executable, "-c", program, *folders, "--out", "all")
                             .stdout.split())  # fmt: skip
    assert Landscape.load("all/landscape.npz").n_walkers == 2000
    assert seconds < 60  # measured: 3
    assert kilobytes < 400e3  # measured: 180e3


def test_what_the_page_expects_of_512_slots_is_what_the_simulation_says():
    root = RECIPES.parents[1]
    told = shell(sys.executable, root / "benchmarks" / "cluster_sim.py").stdout
    simulated = {
        length: parts for length, *parts in re.findall(r"^ +(\S+) s((?: +0\.\d\d){3})$", told, re.M)
    }
    simulated = {length: parts[0].split() for length, parts in simulated.items()}
    page = (root / "docs" / "cluster.md").read_text()
    table = re.findall(r"^\| (\S+) s \| (0\.\d\d) \| (0\.\d\d) \| (0\.\d\d) \|$", page, re.M)
    assert len(table) == 3
    for length, *parts in table:
        assert simulated[length] == parts
