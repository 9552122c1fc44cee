"""Engines elsewhere: the same bits, workers counted and made again, one sentence for what fails."""

import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command_line import run

from wlnn.base import clusters, engines, pool
from wlnn.base.clusters import engine_on
from wlnn.base.engines import Engine, processes
from wlnn.base.errors import UserError
from wlnn.base.pool import Shared, itself, run_units
from wlnn.base.running import stoppable
from wlnn.canonical import run as md_run
from wlnn.canonical import search as seek_run
from wlnn.ladder import crew
from wlnn.ladder import run as ladder_run
from wlnn.reference.cases import box_loss
from wlnn.runs.recipe import make_recipe
from wlnn.settings.ladder import LadderSettings
from wlnn.settings.samplers import WLMCSettings, WLMDSettings
from wlnn.settings.tables import MDSettings, SeekSettings, Settings
from wlnn.settings.training import TrainSettings
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.smooth import NetworkVariables
from wlnn.training.run import train_many
from wlnn.wlmc import run as wlmc_run
from wlnn.wlmd import run as wlmd_run


class Faraway(Executor):
    """Another machine in this process: all that travels is pickled, nothing that was made here is
    known there, jobs are done in a random order, some twice, and some are lost with their worker.
    """

    def __init__(self, lost=0.2):
        self.waiting, self.random, self.lost, self.known = [], random.Random(0), lost, {}
        self.lock = threading.RLock()

    def submit(self, function, *arguments):
        future = Future()
        with self.lock:
            self.waiting.append((future, pickle.dumps((function, arguments))))
        threading.Timer(0.01, self.work).start()
        return future

    def work(self):
        with self.lock:
            while self.waiting:
                self.do(*self.waiting.pop(self.random.randrange(len(self.waiting))))

    def do(self, job, what):
        if self.random.random() < self.lost:
            job.set_exception(BrokenExecutor("the worker is gone"))
            return
        here, pool._made = pool._made, self.known
        try:
            for _ in range(1 + (self.random.random() < 0.3)):
                function, arguments = pickle.loads(what)
                found = pickle.loads(pickle.dumps(function(*arguments)))
            job.set_result(found)
        except Exception as error:
            job.set_exception(error)
        finally:
            pool._made = here


def plain_task(**options):
    settings = {"layers": 1, "width": 2, "points": 4, **options}
    return load_task("spiral-classify", seed=0, x_low=-2, x_high=1, x_width=0.25, **settings)


def walkers(**how):
    problem = plain_task(y="smoothed-accuracy").problem()  # nothing to compile
    return wlmc_run.sample(problem, WLMCSettings(steps=300, stages=6, walkers=3), **how).entropies


def merged(**how):
    problem = plain_task(y="smoothed-accuracy").problem()
    settings = WLMCSettings(
        steps=300, stages=6, walkers=4, merge_every=2, groups=2, estimator="frozen"
    )
    return wlmc_run.sample(problem, settings, **how).entropies


def tables(**how):
    problem = NetworkVariables(load_task("spiral-regress", layers=1, width=3, points=6)).problem()
    settings = WLMDSettings(steps=60, round=20, report=20, tables=2, walkers=2, checks=False)
    return wlmd_run.sample(problem, settings, **how).entropies


def ladders(**how):
    settings = LadderSettings(
        ladders=2, steps=160_000, stretch=100, descent=400, draws=200, x_low=-3, mover="langevin"
    )
    grid = box_grid()
    return ladder_run.sample(box_loss.quadratic(), settings, grid=grid, **how).entropies


def box_grid():
    from wlnn.landscape.grid import Axis, Grid

    return Grid(Axis("ln L", -4.0, 2.0, 12), Axis("y", -10.0, 10.0, 1))


def motion(**how):
    settings = MDSettings(steps=400, record=20, walkers=3, temperature=0.1, dt=0.05, friction=0.05)
    return md_run.simulate(box_loss.quadratic(), settings, **how).records


def searches(**how):
    settings = Settings(
        seek=SeekSettings(evaluations=800, runs=3, stretch=20, low=0.05, high=0.8, replicas=2),
        md=MDSettings(dt=0.05, friction=0.05),
    )
    found = seek_run.search(box_loss.double_well(), settings, "tempering", **how)
    return np.concatenate([found.x.ravel(), found.metric.ravel(), found.accepted])


def trainings(**how):
    settings = TrainSettings(runs=3, epochs=6, batch_size=3, together=1)
    how.pop("threads", None)
    return train_many(plain_task(), settings, **how).metric("ln-train-loss")


KINDS = [walkers, merged, trainings, *(
    pytest.param(kind, marks=pytest.mark.slow) for kind in (tables, ladders, motion, searches)
)]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_careless_machine_far_away_gives_the_same_bits(kind, monkeypatch):
    if kind in (ladders, motion, searches):  # of exact cases, whose functions are local
        pytest.importorskip("cloudpickle", reason="the extra 'dask' is not installed")
    monkeypatch.setattr(pool, "STRETCH_SECONDS", 0.005)  # many stretches
    monkeypatch.setattr(pool, "TRIES", 20)
    monkeypatch.setattr(crew, "LEAST_SECONDS", 1e-9)
    monkeypatch.setattr(crew, "WORTH", 1e-9)  # the rungs of two ladders are dealt out to three
    monkeypatch.setattr(crew, "TOGETHER_SECONDS", 0.05)
    far = Engine(Faraway(), seconds=0.02, count=lambda: 3)
    np.testing.assert_array_equal(kind(executor=far), kind(threads=2))


def test_what_a_worker_lacks_is_told_with_its_name(tmp_path):
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    for path in (train, test):
        path.write_text("a,label\n" + "".join(f"{k},{k % 2}\n" for k in range(8)))
    source = {"train": str(train), "test": str(test), "target": "label", "hidden": [2],
              "standardise": True}  # fmt: skip
    recipe = make_recipe(
        source, values={"wlmc": {"steps": 100}, "grid": {"y": "smoothed-accuracy"}}
    )
    problem = recipe.problem(recipe.task())
    train.write_text(train.read_text() + "9,1\n")
    changed = pytest.raises(UserError, match=r"on worker .*train.csv.*not the same as where")
    with changed:
        recipe.sample(problem, tmp_path / "run", 1, None, Faraway(lost=0))
    train.unlink()
    missing = pytest.raises(UserError, match=rf"on worker .*:{os.getpid()}: {train}")
    with missing:
        recipe.sample(problem, tmp_path / "run", 1, None, Faraway(lost=0))


def grow(shared, state, seconds, stop):
    return state + 1


def brought(executor, make=dict, stop=None):
    stop = np.zeros(1, np.uint8) if stop is None else stop
    with Shared(make) as shared:
        return run_units(grow, shared, [0, 0], lambda s: s > 3, executor, stop, lambda _: None)


def test_what_cannot_travel_is_told():
    with pytest.raises(UserError, match=r"cannot be sent to another process .*make_problem"):
        brought(Faraway(), partial(itself, threading.Lock()))


class Silent(Executor):
    """Workers that never answer."""

    def submit(self, function, *arguments):
        future = Future()
        future.set_running_or_notify_cancel()
        return future


def test_a_second_interrupt_does_not_wait(monkeypatch):
    told, engine = [], Engine(Silent())
    engine.tell = told.append
    with stoppable() as stop:
        timers = [
            threading.Timer(wait, signal.raise_signal, [signal.SIGINT]) for wait in (0.1, 0.8)
        ]
        for timer in timers:
            timer.start()
        assert brought(engine, stop=stop) == [0, 0]
    assert len(told) == 1
    assert "Ctrl-C again goes without it" in told[0]


def test_workers_are_counted(monkeypatch):
    monkeypatch.setattr(engines, "COUNT_SECONDS", -1.0)
    there, told = iter([2, 3, 1, 0, 0, 2]), []
    engine = Engine(Silent(), count=lambda: next(there))
    engine.tell = told.append
    words = []
    for _ in range(6):
        engine.look()
        words.append(engine.words())
    assert words == [
        "2 workers", "3 workers", "1 worker, 2 lost", "0 workers, 3 lost", "0 workers, 3 lost",
        "2 workers, 3 lost",
    ]  # fmt: skip
    assert told == [
        "2 workers lost; what was under way there is made again",
        "1 worker lost; what was under way there is made again",
        "no worker is there; waiting for some",
    ]


def test_other_processors_are_told_once():
    told, ours = [], engines.versions()
    engine = Engine(Silent())
    engine.tell = told.append
    engine.saw("a:1", ours)
    engine.saw("b:1", {**ours, "cpu": "another", "numpy": "1.0"})
    engine.saw("b:2", {**ours, "cpu": "another", "numpy": "1.0"})
    assert told == [
        "worker b:1 has numpy 1.0, cpu another: the last digits may differ from those of a run here"
    ]
    assert engine.words() == "3 workers"


def killing(folder, state, seconds, stop):
    """The first time that unit 1 comes to 2, its worker is killed."""
    if state == (1, 2) and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return state[0], state[1] + 1


@pytest.mark.slow
@pytest.mark.parametrize("forked", [False, True])
def test_a_killed_worker_costs_one_stretch(tmp_path, forked):
    states = [(0, 0), (1, 0), (2, 0)]
    with processes(2, forked) as engine, Shared(partial(itself, tmp_path)) as shared:
        found = run_units(
            killing, shared, states, lambda s: s[1] == 4, engine, np.zeros(1, np.uint8),
            lambda _: None,
        )  # fmt: skip
    assert (tmp_path / "killed").exists()
    assert found == [(0, 4), (1, 4), (2, 4)]
    assert engine.lost == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--on", "threads"), "--on threads: there is no such engine; write processes:N"),
        (("--on", "processes:0"), "--on processes:0: there is no such engine"),
        (("--on", "processes:x"), "--on processes:x: there is no such engine"),
        (("--on", "dask:"), "--on dask:: there is no such engine"),
        (("--insecure",), "--insecure goes with --on dask:tcp://HOST:PORT only"),
        (("--on", "processes:2", "--insecure"), "--insecure goes with"),
    ],
)
def test_engines_that_are_none(words, sentence, tmp_path):
    found = run("sample", "--out", tmp_path / "run", "--quick", *words)
    assert (found.status, found.out) == (2, "")
    assert found.err.startswith(f"wlnn: {sentence}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("where", "extra"), [("dask:tls://a:1", "dask"), ("dask:a.yaml", "dask"), ("mpi", "mpi")]
)
def test_an_engine_that_is_not_installed(where, extra, monkeypatch):
    for name in ("distributed", "mpi4py", "mpi4py.futures"):
        monkeypatch.setitem(sys.modules, name, None)
    missing = pytest.raises(UserError, match=rf"not installed; .*pip install wlnn\[{extra}\]")
    with missing, engine_on(where):
        pass


@pytest.mark.parametrize("kind", ["ImportError", "RuntimeError"])
def test_mpi_that_is_not_on_the_machine(kind, tmp_path, monkeypatch):
    """mpi4py says so by an error of either kind, as it was built."""
    package = tmp_path / "mpi4py"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "futures.py").write_text(f"raise {kind}('libmpi.so.12: cannot open it')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "mpi4py"]:
        monkeypatch.delitem(sys.modules, name)
    missing = pytest.raises(UserError, match=r"libmpi.so.12: cannot open it; .*pip install mpich")
    with missing, engine_on("mpi"):
        pass
    for name in [name for name in sys.modules if name.split(".")[0] == "mpi4py"]:
        del sys.modules[name]


def test_a_file_of_a_cluster_is_read_with_care(tmp_path):
    pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    path = tmp_path / "cluster.yaml"
    for text, sentence in (
        ("a: [", "is no YAML"),
        ("- a", "must hold keys and values"),
        ("kind: slurmm", "kind is one of slurm"),
        ("scale: 0", "scale is the number of workers"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=sentence), engine_on(f"dask:{path}"):
            pass
    with pytest.raises(UserError, match="cannot be read"), engine_on("dask:nowhere.yaml"):
        pass
    with pytest.raises(UserError, match="say --insecure"), engine_on("dask:tcp://a:1"):
        pass
    with pytest.raises(UserError, match="no key is known"), engine_on("dask:tls://a:1"):
        pass


def test_a_task_of_ones_own_file_is_made_there(tmp_path):
    """A problem of one's own Python file is made there from the file."""
    file = tmp_path / "own.py"
    file.write_text(Path(__file__).with_name("command_line.py").read_text().split("'''")[1])
    recipe = make_recipe({"file": f"{file}:problem"}, values={"wlmc": {"steps": 300, "stages": 4}})
    problem = recipe.problem(recipe.task())
    far = Faraway(lost=0)
    there = recipe.sample(problem, tmp_path / "far", 1, None, far)
    here = recipe.sample(problem, tmp_path / "near", 1, None)
    np.testing.assert_array_equal(there.entropies, here.entropies)


def test_a_library_that_takes_ctrl_c_gives_it_back(tmp_path, monkeypatch):
    """dask_jobqueue does so when it is imported."""
    (tmp_path / "greedy_engine.py").write_text(
        "import signal, sys\nsignal.signal(signal.SIGINT, lambda *_: sys.exit())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.getsignal(signal.SIGINT)
    clusters._library("greedy_engine", "dask")
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux what is blocked")
@pytest.mark.parametrize("forked", [False, True])
def test_what_python_starts_beside_the_workers_outlives_a_closed_terminal(tmp_path, forked):
    script = (
        "import os, signal\n"
        "from multiprocessing.resource_tracker import _resource_tracker\n"
        "from wlnn.base.engines import processes\n"
        "if __name__ == '__main__':\n"
        f"    with processes(1, {forked}) as engine:\n"
        "        above = engine.submit(os.getppid).result()\n"
        f"        assert (above != os.getpid()) == {forked}\n"
        "        pids = [_resource_tracker._pid, *engine.executor._processes]\n"
        f"        pids += [above] * {forked}\n"
        "        for pid in pids:\n"
        "            lines = open(f'/proc/{pid}/status').read().splitlines()\n"
        "            mask = next(int(l.split()[1], 16) for l in lines if l.startswith('SigBlk'))\n"
        "            print(bool(mask >> signal.SIGHUP - 1 & 1))\n"
        "        print(signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
    )
    path = tmp_path / "script.py"
    path.write_text(script)
    made = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    assert made.stdout.split() == ["True"] * (2 + forked) + ["False"], made.stderr


def loaded(_):
    """Whether Numba was there before the first job, the parent, and threads of BLAS."""
    return "wlnn.base.ahead" in sys.modules, os.getppid(), os.environ["OPENBLAS_NUM_THREADS"]


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
def test_workers_of_a_command_are_forked_from_one_process_and_end_with_their_parent(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(
        "import os, signal, sys\n"
        f"sys.path.append({str(Path(__file__).parent)!r})\n"
        "from test_engines import loaded\n"
        "from wlnn.base.engines import processes\n"
        "if __name__ == '__main__':\n"
        "    with processes(2, forked=True) as engine:\n"
        "        is_loaded, above, threads = engine.submit(loaded, 0).result()\n"
        "        print(is_loaded, threads, above, *engine.executor._processes, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    made = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    is_loaded, threads, *pids = made.stdout.split()
    assert (is_loaded, threads, len(pids)) == ("True", "1", 3), made.stderr
    end = time.monotonic() + 10
    while (alive := [pid for pid in pids if is_running(pid)]) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0] != "Z"
    except OSError:
        return False


def test_pools_have_ended_before_python_looks_after_them(tmp_path):
    """Python 3.11 writes into the pipe of a pool that just closes it: an OSError, now and then."""
    path = tmp_path / "script.py"
    path.write_text(
        "import concurrent.futures.process as pools, threading\n"
        "from wlnn.base.engines import processes\n"
        "def look():\n"
        "    print(threads.pop().is_alive())\n"
        "if __name__ == '__main__':\n"
        "    threading._register_atexit(look)  # what is registered later is called before\n"
        "    with processes(1) as engine:\n"
        "        engine.submit(abs, -1).result()\n"
        "        threads = list(pools._threads_wakeups)\n"
    )
    made = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    assert (made.stdout, made.stderr) == ("False\n", "")


FORKED = """
import os, signal, sys
from wlnn.base.engines import processes
if __name__ == "__main__":
    print("begins", flush=True)
    with processes(1, forked=True) as engine:
        {0}
        above = engine.submit(os.getppid).result()
        variable = engine.submit(os.getenv, "PYTHONPATH").result()
        print(above != os.getpid(), variable)
"""


def forked(tmp_path, then="", **environment):
    """What a script that forks its workers prints, begun where modules have the names of others."""
    folder = tmp_path / "here"
    folder.mkdir()
    for name in ("numba", "wlnn", "csv"):
        (folder / f"{name}.py").write_text("raise SystemExit(3)\n")
    path = tmp_path / "script.py"
    path.write_text(FORKED.format(then))
    environment = {**os.environ, **environment}
    environment.pop("PYTHONPATH", None)
    words = {"cwd": folder, "env": environment, "capture_output": True, "text": True}
    return subprocess.run([sys.executable, path], **words, timeout=120, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
def test_the_server_of_workers_has_the_modules_of_the_command_and_leaves_no_variable(tmp_path):
    made = forked(tmp_path)
    assert (made.stdout.split(), made.stderr) == (["begins", "True", "None"], "")


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
def test_workers_begin_by_themselves_where_there_can_be_no_server(tmp_path):
    """The path of a socket has at most 107 characters."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    made = forked(tmp_path, TMPDIR=str(folder))
    assert (made.stdout.split(), made.stderr) == (["begins", "False", "None"], "")


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
def test_a_server_that_is_killed_while_it_loads_costs_its_start(tmp_path):
    made = forked(tmp_path, "from wlnn.base import server; server.kill()")
    assert (made.stdout.split(), made.stderr) == (["begins", "False", "None"], "")


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_server_does_not_hear_what_ends_its_command(number, tmp_path):
    """As Ctrl-C in a terminal, or a batch system that tells all of a job, while it loads."""
    pid = "multiprocessing.forkserver._forkserver._forkserver_pid"
    made = forked(tmp_path, f"import multiprocessing; os.kill({pid}, {int(number)})")
    assert (made.stdout.split(), made.stderr) == (["begins", "True", "None"], "")
