"""Real schedulers on this machine: dask with TLS and a worker killed, and MPI; the same bits."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wlnn.base import pool
from wlnn.base.engines import Engine, engine_on
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
    monkeypatch.setattr("wlnn.base.engines.CONNECT_SECONDS", 5)
    monkeypatch.setattr("distributed.Security", lambda: stranger)
    refused = pytest.raises(UserError, match=r"no connection: .*key and certificate are its own")
    with refused, engine_on(f"dask:{address}"):
        pass
    monkeypatch.setattr("distributed.Security", lambda: cluster[1])
    with engine_on(f"dask:{address}") as engine:
        assert engine.submit(os.getpid).result() != os.getpid()


def test_ranks_of_an_mpi_job_give_the_same_bits(tmp_path):
    pytest.importorskip("mpi4py", reason="the extra 'mpi' is not installed")
    mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if mpiexec is None:
        pytest.skip("there is no mpiexec")
    alone = [sys.executable, "-m", "wlnn", "sample", *OPTIONS]
    ranks = [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", *alone[1:], "--on", "mpi"]
    for words, out in ((alone, "one"), (ranks, "ranks")):
        subprocess.run([*words, "--out", tmp_path / out], check=True, timeout=900)
    one, other = (Landscape.load(tmp_path / out / "landscape.npz") for out in ("one", "ranks"))
    np.testing.assert_array_equal(one.entropies, other.entropies)
