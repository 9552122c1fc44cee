"""The judge of learning coefficients: of a run on a normal crossing, where lambda and m are known.

See ``verdict.py`` for what a verdict is.
"""

from __future__ import annotations

import time

from wlnn.canonical.learning import learning_coefficient
from wlnn.reference.cases import normal_crossing
from wlnn.reference.judges.verdict import Verdict, verdict
from wlnn.reference.judges.wlmc_run import COMMON, SETTINGS
from wlnn.settings.samplers import WLMCSettings
from wlnn.wlmc.run import sample

ROWS = 7000  # T = ln n / n = 0.0013
RANGE = {(2, 2): (-30.0, -4.0), (2, 4): (-30.0, -16.0)}  # of ln K, where the form holds


def judge_crossing(exponents=(2, 2), sample=sample, **options) -> Verdict:
    """R16: lambda by the slope of S and by the mean loss at a temperature, of one run.

    Judged: the error of lambda by the slope with the right multiplicity. Also (<K>) / T against
    its exact value (at most 3 % off), and that lambda is off by 0.03 or more with another
    multiplicity. Right runs of seeds 0 to 2: 0.0000 to 0.0032, 0.4 %, and 0.041 to 0.068.
    """
    began = time.perf_counter()
    case = normal_crossing.problem(exponents)
    settings = {**SETTINGS, **COMMON, "steps": 4_000_000, "step_width": 0.5, **options}
    found = sample(case, WLMCSettings(**settings))
    exact, m = normal_crossing.CASES[exponents]
    other = 3 - m  # 1 for 2, 2 for 1
    both = learning_coefficient(found, ROWS, multiplicities=(m, other), span=RANGE[exponents])
    right, wrong = both.slopes
    temperature = both.temperature[0]
    mean = normal_crossing.mean_loss(exponents, temperature) / temperature
    away = abs(both.value[0] / mean - 1)
    detail = (
        f"lambda = {right.value:.4f} ± {right.error:.2g} with m = {m} (exact {exact:g}), "
        f"{wrong.value:.4f} with m = {other}, whose halves differ by {wrong.drift:+.4f} ± "
        f"{wrong.drift_error:.2g}; at T = {temperature:.2g} {both.value[0]:.4f} (exact "
        f"{mean:.4f})"
    )
    also = both.covered[0] and away < 0.03 and abs(wrong.value - exact) > 0.03
    name = f"{case.name} learning coefficient"
    return verdict(name, "WLMC", abs(right.value - exact), 0.02, detail, began, also)
