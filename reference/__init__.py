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
    Case("ising", "judge_run:judge_ising"),
    Case("production", "judge_run:judge_production"),
    Case("convergence", "judge_run:judge_convergence"),
    Case("canonical", "judge_run:judge_canonical"),
)
