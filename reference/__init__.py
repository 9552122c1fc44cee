"""Exact cases that judge the samplers, by name; nothing is loaded or run before it is asked for.

``cases/`` holds the cases themselves: problem, exact masses, table. ``judges/`` runs samplers on
them. Installed as ``wlnn.reference``; `wlnn verify` goes through
:data:`CASES`; :data:`LABELS` has the short names of the documentation.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from wlnn.base.errors import UserError


class Case(NamedTuple):
    """One judge with its options."""

    name: str
    function: str  # "module:function" in this package
    slow: bool = False  # takes a minute or more
    options: tuple[tuple[str, object], ...] = ()

    def judge(self, **options):
        """Run it: a ``judges.verdict.Verdict``; ``options`` such as ``seed`` go before its own."""
        module, _, function = self.function.partition(":")
        found = getattr(import_module(f"{__name__}.{module}"), function)
        return found(**{**dict(self.options), **options})


AVERAGED = (("production", 0.5), ("estimator", "average"))
COMMON = (("production", 0.5), ("estimator", "common"), ("c", 8.0))
LONG = (("steps", 20_000_000), ("threshold", 0.3))
SMOOTH = "judges.wlmd_least_squares:smooth_case"
# One walker a million steps more or less: each fast case takes seconds once Numba has compiled it.
CASES = (
    Case("maxnorm-start", "judges.wlmc_start:judge_maxnorm"),
    Case("ternary-start", "judges.wlmc_start:judge_ternary"),
    Case("maxnorm-flat", "judges.wlmc_frozen:judge_flat"),
    Case(
        "maxnorm-flat-log-uniform",
        "judges.wlmc_frozen:judge_flat",
        False,
        (("step_rule", "log-uniform"),),
    ),
    Case("twin-cache", "judges.wlmc_frozen:judge_cache"),
    Case("network-cache", "judges.wlmc_frozen:judge_network_cache"),
    Case("maxnorm", "judges.wlmc_run:judge_maxnorm"),
    Case("ternary", "judges.wlmc_run:judge_ternary"),
    Case("ternary-window", "judges.wlmc_run:judge_anchor"),
    Case("logistic", "judges.wlmc_run:judge_logistic"),
    Case("logistic-float32", "judges.wlmc_run:judge_logistic", False, (("precision", "float32"),)),
    Case("tanh-unit", "judges.wlmc_run:judge_hidden_unit", False, (("activation", "tanh"),)),
    Case("relu-unit", "judges.wlmc_run:judge_hidden_unit", False, (("activation", "relu"),)),
    Case("context-select", "judges.wlmc_run:judge_context_select"),
    Case("ising", "judges.wlmc_run:judge_ising"),
    Case("production", "judges.wlmc_run:judge_production"),
    Case("averaged", "judges.wlmc_run:judge_averaged"),
    *(
        Case(f"common-{name}", "judges.wlmc_run:judge_common", False, (("case", name),))
        for name in ("maxnorm", "logistic", "ternary")
    ),
    Case("angle", "judges.wlmc_run:judge_angle"),
    Case("accuracies", "judges.wlmc_run:judge_accuracies"),
    Case("common-rare", "judges.wlmc_run:judge_rare"),
    Case("convergence", "judges.wlmc_run:judge_convergence"),
    Case("canonical", "judges.wlmc_run:judge_canonical"),
    Case("gaussian", "judges.wlmc_run:judge_gaussian"),
    Case("crossing", "judges.learning:judge_crossing"),
    Case("crossing-unlike", "judges.learning:judge_crossing", False, (("exponents", (2, 4)),)),
    Case(
        "maxnorm-20-flat",
        "judges.wlmc_frozen:judge_flat",
        True,
        (("n", 20), ("n_steps", 8_000_000)),
    ),
    Case("maxnorm-20", "judges.wlmc_run:judge_deep", True),
    Case("slope", "judges.wlmc_run:judge_slope", True),
    Case("coverage", "judges.wlmc_coverage:judge_coverage", True),
    Case("coverage-averaged", "judges.wlmc_coverage:judge_coverage", True, AVERAGED),
    Case("coverage-common", "judges.wlmc_coverage:judge_coverage", True, COMMON),
    Case("verdict", "judges.wlmc_coverage:judge_verdict", True),
    Case("ising-8", "judges.wlmc_run:judge_ising", True, (("side", 8), *LONG)),
    Case("spiral-draws", "judges.wlmc_network:judge_direct", True),
    Case("nested", "judges.wlmc_network:judge_nested", True),
    Case("box-loss", "judges.canonical:judge_md"),
    Case("double-well", "judges.canonical:judge_tempering"),
    Case("ladder-box-loss", "judges.ladder:box_partition"),
    *(
        Case(f"ladder-{name}", "judges.ladder:moves", False, (("name", name),))
        for name in ("maxnorm", "ternary", "logistic", "twin-quadratic")
    ),
    Case("ladder-gaussian", "judges.ladder:gaussian"),
    Case("ladder-gaussian-moves", "judges.ladder:moves", False, (("name", "gaussian"),)),
    *(
        Case(
            f"ladder-{name.replace('_', '-')}", "judges.ladder:smooth_case", True, (("name", name),)
        )
        for name in ("sphere", "residual_floor", "few_rows")
    ),
    *(
        Case(
            f"ladder-coverage-{name}",
            "judges.ladder_coverage:judge_coverage",
            True,
            (("name", name),),
        )
        for name in ("sphere", "logistic")
    ),
    Case("ladder-ising", "judges.ladder:moves", True, (("name", "ising"),)),
    Case("ladder-double-well", "judges.ladder:double_well", True),
    Case("ladder-twin-spheres", "judges.ladder:twin_spheres", True),
    Case("ladder-twin-quadratic-map", "judges.ladder:moves_map", True),
    Case("wlmd-start", "judges.wlmd:exact_start"),
    Case("wlmd-run", "judges.wlmd:whole_run"),
    Case("wlmd-two-losses", "judges.wlmd:frozen_two_losses", True),
    *(
        Case(
            f"wlmd-{name.replace('_', '-')}",
            "judges.wlmd_least_squares:smooth_case",
            True,
            (("name", name),),
        )
        for name in ("sphere", "twin_spheres", "blocks", "residual_floor", "few_rows")
    ),
)
LABELS = {  # as the documentation and the heads of ``cases/`` call them
    "R1": ("maxnorm-start",),
    "R2": ("ternary-start", "ternary-window"),
    "R3": ("maxnorm", "production"),
    "R4": ("logistic", "logistic-float32"),
    "R5": ("ternary", "averaged"),
    "R6": ("maxnorm-flat", "maxnorm-flat-log-uniform"),
    "R7": ("twin-cache",),
    "R8": ("tanh-unit", "relu-unit"),
    "R9": ("wlmd-start", "wlmd-run"),
    "R10": ("ising",),
    "R11": ("spiral-draws",),
    "R12": ("nested",),
    "R13": ("common-rare",),
    "R14": ("angle",),
    "R15": ("accuracies",),
    "R16": ("crossing", "crossing-unlike"),
    "R17": ("gaussian", "ladder-gaussian", "ladder-gaussian-moves"),
    "E": ("wlmd-start",),
    "F": ("wlmd-run",),
    "G": ("canonical",),
}


def chosen(names=(), slow: bool = False) -> list[Case]:
    """The cases of some names, or all that take seconds, with ``slow`` all there are.

    Names are those of :data:`CASES` and of :data:`LABELS`.

    Raises:
        UserError: there is no case of a name.
    """
    known = {case.name: (case.name,) for case in CASES} | LABELS
    for name in names:
        if name not in known:
            raise UserError(f"{name}: there is no such case; use one of {', '.join(known)}.")
    wanted = {case for name in names for case in known[name]}
    return [case for case in CASES if case.name in wanted or not (names or case.slow > slow)]


def verify(*names: str, slow: bool = False, seed: int = 0):
    """Pairs of a :class:`Case` and its ``judges.verdict.Verdict``, one after another.

    Examples:
        >>> import wlnn
        >>> [found.passed for case, found in wlnn.verify("maxnorm-start")]
        [True]

    Raises:
        UserError: as :func:`chosen`.
    """
    return ((case, case.judge(seed=seed)) for case in chosen(names, slow))
