"""Real schedulers on this machine: dask with TLS and a worker killed, and MPI; the same bits."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import run

from wlnn.base import pool, store
from wlnn.base.clusters import engine_on
from wlnn.base.engines import Engine
from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Landscape
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.catalogue import load_task
from wlnn.wlmc.run import sample

pytestmark = pytest.mark.slow
SETTINGS = WLMCSettings(steps=200_000, stages=50, walkers=4, anchor_draws=1000)
OPTIONS = ("--layers", "1", "--width", "2", "--points", "8", "--walkers", "3", "--steps", "1e5",
           "--set", "wlmc.stages=20", "--set", "wlmc.anchor_draws=1000")  # fmt: skip


def small():
    return load_task(
        "spiral-classify", seed=0, layers=1, width=3, points=8, x_low=-2, x_high=1, x_width=0.25
    ).problem()


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    pytest.importorskip("cryptography", reason="the extra 'dask' is not installed")
    security = distributed.Security.temporary()
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, security=security,
        silence_logs=50, memory_limit=0,
    ) as made:  # fmt: skip
        yield made, security


def test_dask_with_a_worker_killed_gives_the_same_bits(cluster, monkeypatch):
    from distributed import Client

    monkeypatch.setattr(pool, "STRETCH_SECONDS", 0.05)
    monkeypatch.setattr("wlnn.base.running.REPORT_SECONDS", -1.0)
    monkeypatch.setattr("wlnn.base.engines.COUNT_SECONDS", 0.1)
    here, killed = sample(small(), SETTINGS, threads=1), []
    with Client(cluster[0], security=cluster[1]) as client:
        engine = Engine(client.get_executor(pure=False), 0.1, lambda: len(client.nthreads()))

        def kill(report):
            if report.part > 0.3 and not killed:
                killed.extend(client.run(os.getpid).values())
                os.kill(killed[0], signal.SIGKILL)

        there = sample(small(), SETTINGS, report=kill, executor=engine)
    assert killed
    np.testing.assert_array_equal(there.entropies, here.entropies)
    np.testing.assert_array_equal(there.visits, here.visits)


def test_a_client_without_the_key_is_refused(cluster, tmp_path, monkeypatch):
    from distributed import Client, Security

    address = cluster[0].scheduler_address
    assert address.startswith("tls://")
    with pytest.raises((OSError, TypeError, ValueError)):
        Client(address, timeout=5)
    stranger = Security.temporary()
    monkeypatch.setattr("wlnn.base.clusters.CONNECT_SECONDS", 5)
    monkeypatch.setattr("distributed.Security", lambda: stranger)
    refused = pytest.raises(UserError, match=r"no connection: .*key and certificate are its own")
    with refused, engine_on(f"dask:{address}"):
        pass
    monkeypatch.setattr("distributed.Security", lambda: cluster[1])
    with engine_on(f"dask:{address}") as engine:
        assert engine.submit(os.getpid).result() != os.getpid()


def test_a_plain_port_is_taken_with_insecure_and_a_sentence(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50, memory_limit=0
    ) as made:
        where = made.scheduler_address
        assert where.startswith("tcp://")
        words = (
            "sample", "--task", "own.py:problem", "--walkers", "1", "--steps", "1000",
            "--on", f"dask:{where}", "--out", "run",
        )  # fmt: skip
        refused = run(*words)
        assert (refused.status, refused.out) == (2, "")
        assert "use tls://, or say --insecure" in refused.err
        assert not Path("run").exists()
        taken = run(*words, "--insecure")
    assert taken.status == 0, taken.err
    assert f"--on dask:{where} is not encrypted: whoever reaches that port can run" in taken.err


def ranks(n, *words):
    """The command line of an MPI job of n ranks; the test is skipped where there is no MPI."""
    pytest.importorskip("mpi4py", reason="the extra 'mpi' is not installed")
    mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if mpiexec is None:
        pytest.skip("there is no mpiexec")
    job = [mpiexec, "-n", str(n), sys.executable, "-m", "mpi4py.futures"]
    there = [mpiexec, "-n", "1", sys.executable, "-c", "from mpi4py import MPI"]
    if subprocess.run(there, capture_output=True, check=False, timeout=120).returncode:
        pytest.skip("mpi4py does not find the library of this mpiexec")
    return [*job, "-m", "wlnn", *words]


def test_ranks_of_an_mpi_job_give_the_same_bits(tmp_path):
    job = ranks(3, "sample", *OPTIONS, "--on", "mpi")
    alone = [sys.executable, "-m", "wlnn", "sample", *OPTIONS]
    for words, out in ((alone, "one"), (job, "ranks")):
        subprocess.run([*words, "--out", tmp_path / out], check=True, timeout=900)
    one, other = (Landscape.load(tmp_path / out / "landscape.npz") for out in ("one", "ranks"))
    np.testing.assert_array_equal(one.entropies, other.entropies)


OWN = """
import os
import time

import numpy as np
import wlnn


def squares(theta):
    time.sleep(5e-4)
    return float(theta @ theta), float(theta[0])


with open("pids", "a") as pids:  # of all ranks
    print(os.getpid(), file=pids)
grid = wlnn.Grid(wlnn.Axis("square", 0.0, 2.5, 5), wlnn.Axis("first", -1.0, 1.5, 5))
problem = wlnn.Problem("ball", -np.ones(3), np.ones(3), grid, squares)
"""


def test_a_killed_rank_ends_the_job_and_loses_nothing_that_came_back(tmp_path, monkeypatch):
    """MPI ends the other ranks too; what they had given back is on disk, and the rest follows."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    words = ("sample", "--task", "own.py:problem", "--walkers", "3", "--steps", "9000",
             "--set", "wlmc.stages=90", "--set", "wlmc.step_width=0.5",
             "--set", "wlmc.estimator=frozen")  # fmt: skip
    job = subprocess.Popen(
        ranks(3, *words, "--on", "mpi", "--out", "killed"),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not stages() and job.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    before = stages()
    assert before, job.stderr.read() if job.poll() is not None else "no checkpoint came"
    parent = json.loads(Path("killed/.claim.json").read_text())["pid"]
    workers = {int(pid) for pid in Path("pids").read_text().split()} - {parent}
    os.kill(min(workers), signal.SIGKILL)
    job.communicate(timeout=60)
    assert job.returncode != 0
    assert not Path("killed/landscape.npz").exists()
    assert stages() >= before
    wlnn = (sys.executable, "-m", "wlnn")
    subprocess.run([*wlnn, "resume", "killed", "--threads", "3"], check=True, timeout=300)
    subprocess.run([*wlnn, *words, "--out", "alone", "--threads", "3"], check=True, timeout=300)
    one, other = (Landscape.load(Path(out, "landscape.npz")) for out in ("alone", "killed"))
    np.testing.assert_array_equal(one.entropies, other.entropies)
    np.testing.assert_array_equal(one.visits, other.visits)


def stages():
    """Stages of all checkpoints."""
    states = [store.load(path)[1]["walkers"] for path in Path("killed").glob("walker*.npz")]
    return sum(walker["stage"] for walkers in states for walker in walkers)
