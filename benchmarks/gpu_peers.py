"""Loss and gradient of R independent networks by PyTorch and JAX, beside this package's own text.

The spiral regressions 2-W-W-1 on 250 + 250 points. A step is what a force needs: ln of train and
test loss of every network, and the gradient of ux x + uy y. Each peer is compared first: losses and
gradients must be those of the NumPy definition in double precision to 1e-5 of them, and where they
are not (to 1e-2 in TF32) the row says so in the place of a time. Steps: ``peers/force_peers.py``.

Printed as JSON lines, each as soon as it is known; a peer that is not installed, or fails, is a
sentence. ``gpu.py`` runs this at its end. With --cpu all of it runs on the CPU, small.

    python benchmarks/gpu_peers.py [--seconds 0.5] [--budget 150] [--out rows.jsonl]
                                   [--only "W = 30"] [--cpu]
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time

import numpy as np
from gpu import blocks, sayer
from peers.force_case import Case, case_of, differences
from peers.force_peers import PEERS, MissingError, graph_tf32

from wlnn.backend.device import DeviceError, device_of

CASES = {"W = 30": (30, (64, 512)), "W = 100": (100, (64, 512)), "W = 300": (300, (8, 64))}
CASES["W = 1000"] = 1000, (1, 8)  # width, numbers of networks
NEAR = 1e-5  # of loss and of gradient
NEAR_TF32 = 1e-2  # of factors of 11 bits
LIMIT = 40.0  # seconds in which a peer has to be compiled, compared and measured


@contextlib.contextmanager
def within(seconds: float):
    """Ends what takes longer by TimeoutError; in the main thread, between two lines of Python."""

    def late(*_):
        raise TimeoutError(f"not ready within {seconds:.3g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def measured(make, case: Case, device, seconds: float, limit: float = LIMIT) -> dict:
    """What the row of a peer says: times, or why there are none."""
    near = NEAR_TF32 if make is graph_tf32 else NEAR
    try:
        with within(limit):
            peer = make(case, device)
            for _ in range(2):  # the second step is not that of compiling
                found = peer.step()
                loss, gradient = differences(case, *peer.host(found))
                if not (loss <= near and gradient <= near):  # NaN is not near
                    told = f"loss differs by {loss:.1e} and gradient by {gradient:.1e} of it"
                    return {"reason": f"not what is to be computed: {told}; no time"}
            began = time.perf_counter()
            peer.wait(peer.step())
            steps = int(np.clip(0.1 / (time.perf_counter() - began), 1, 50))

            def run():
                for _ in range(steps):
                    found = peer.step()
                peer.wait(found)
                return steps

            low, middle, high = blocks(run, seconds)
    except Exception as error:  # of other people's libraries and compilers
        words = " ".join(str(error).split())[:200]
        plain = isinstance(error, MissingError | TimeoutError)
        return {"reason": words if plain else f"failed with {type(error).__name__}: {words}"}
    walkers, row = len(case.theta), {"loss_differs": loss, "gradient_differs": gradient}
    return row | {"us_per_walker": middle / walkers, "p10": low / walkers, "p90": high / walkers}


def main():
    """All rows, one after another."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="of each row")
    parser.add_argument("--budget", type=float, default=150.0, help="seconds of all rows")
    parser.add_argument("--out", help="where the rows are kept, too")
    parser.add_argument("--only", choices=CASES, help="one network")
    parser.add_argument("--cpu", action="store_true", help="all on the CPU, three networks")
    given = parser.parse_args()
    try:
        device = None if given.cpu else device_of("cuda")
    except DeviceError as reason:
        sys.exit(f"nothing was measured: {reason}")
    say, until = sayer(given.out), time.monotonic() + given.budget
    with contextlib.nullcontext() if device is None else device.using():
        for name in [given.only] if given.only else CASES:
            width, numbers = CASES[name]
            for walkers in (3,) if given.cpu else numbers:
                case = case_of(width, walkers)
                for peer, make in PEERS.items():
                    left = until - time.monotonic()
                    row = {"reason": f"the {given.budget:g} s of all peers were over"}
                    if left > 0:
                        row = measured(make, case, device, given.seconds, min(LIMIT, left))
                    say(network=name, walkers=walkers, peer=peer, **row)


if __name__ == "__main__":
    main()
