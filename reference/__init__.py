"""Exact cases that judge the samplers, by name; nothing is loaded or run before it is asked for.

The files named after a case hold the case itself: problem, exact masses, table. The files
``*judge*`` run samplers on them. Installed as ``wlnn.reference``; `wlnn verify` goes through
:data:`CASES`.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple


class Case(NamedTuple):
    """One judge with its options."""

    name: str
    function: str  # "module:function" in this package
    slow: bool = False  # takes a minute or more
    options: tuple[tuple[str, object], ...] = ()

    def judge(self, **options):
        """Run it: a ``reference.judge.Verdict``; ``options`` such as ``seed`` go before its own."""
        module, _, function = self.function.partition(":")
        found = getattr(import_module(f"{__name__}.{module}"), function)
        return found(**{**dict(self.options), **options})


AVERAGED = (("production", 0.5), ("estimator", "average"))
LONG = (("steps", 20_000_000), ("threshold", 0.3))
SMOOTH = "wlmd_judge_cases:smooth_case"
# One walker a million steps more or less: each fast case takes seconds once Numba has compiled it.
CASES = (
    Case("maxnorm-start", "judge_start:judge_maxnorm"),
    Case("ternary-start", "judge_start:judge_ternary"),
    Case("maxnorm-flat", "judge_frozen:judge_flat"),
    Case(
        "maxnorm-flat-log-uniform",
        "judge_frozen:judge_flat",
        False,
        (("step_rule", "log-uniform"),),
    ),
    Case("twin-cache", "judge_frozen:judge_cache"),
    Case("network-cache", "judge_frozen:judge_network_cache"),
    Case("maxnorm", "judge_run:judge_maxnorm"),
    Case("ternary", "judge_run:judge_ternary"),
    Case("ternary-window", "judge_run:judge_anchor"),
    Case("logistic", "judge_run:judge_logistic"),
    Case("logistic-float32", "judge_run:judge_logistic", False, (("precision", "float32"),)),
    Case("tanh-unit", "judge_run:judge_hidden_unit", False, (("activation", "tanh"),)),
    Case("relu-unit", "judge_run:judge_hidden_unit", False, (("activation", "relu"),)),
    Case("context-select", "judge_run:judge_context_select"),
    Case("ising", "judge_run:judge_ising"),
    Case("production", "judge_run:judge_production"),
    Case("averaged", "judge_run:judge_averaged"),
    Case("convergence", "judge_run:judge_convergence"),
    Case("canonical", "judge_run:judge_canonical"),
    Case("maxnorm-20-flat", "judge_frozen:judge_flat", True, (("n", 20), ("n_steps", 8_000_000))),
    Case("slope", "judge_run:judge_slope", True),
    Case("coverage", "judge_coverage:judge_coverage", True),
    Case("coverage-averaged", "judge_coverage:judge_coverage", True, AVERAGED),
    Case("ising-8", "judge_run:judge_ising", True, (("side", 8), *LONG)),
    Case("spiral-draws", "judge_network:judge_direct", True),
    Case("nested", "judge_network:judge_nested", True),
    Case("box-loss", "canonical_judge:judge_md"),
    Case("double-well", "canonical_judge:judge_tempering"),
    Case("wlmd-start", "wlmd_judge:exact_start"),
    Case("wlmd-run", "wlmd_judge:whole_run"),
    Case("wlmd-two-losses", "wlmd_judge:frozen_two_losses", True),
    *(
        Case(
            f"wlmd-{name.replace('_', '-')}",
            "wlmd_judge_cases:smooth_case",
            True,
            (("name", name),),
        )
        for name in ("sphere", "twin_spheres", "blocks", "residual_floor", "few_rows")
    ),
)
