"""Maximum-entropy connectivity of a two-layer network that selects inputs by context.

Hruza & Ostojic, "Balancing structure and randomness" (arXiv 2605.25607). Importing this package
loads no numerical library; the names below are loaded when first used.
"""

_HOMES = {
    "Solution": "wlnn.maxent.theory",
    "solve": "wlnn.maxent.theory",
    "solve_moment": "wlnn.maxent.moment",
    "binary_patterns": "wlnn.maxent.patterns",
    "solve_patterns": "wlnn.maxent.patterns",
    "solve_gain_function": "wlnn.maxent.gains",
    "solve_soft_relu": "wlnn.maxent.gains",
    "feasible_scale": "wlnn.maxent.limits",
    "draw_units": "wlnn.maxent.sampling",
    "losses_against_units": "wlnn.maxent.sampling",
    "relu_loss_floor": "wlnn.maxent.sampling",
    "train": "wlnn.maxent.training",
    "gradient_flow": "wlnn.maxent.flow",
    "measure": "wlnn.maxent.observables",
    "compare": "wlnn.maxent.comparison",
    "agreement": "wlnn.maxent.comparison",
    "solve_box": "wlnn.maxent.box",
    "ln_density": "wlnn.maxent.box",
    "exact_ln_density": "wlnn.maxent.box",
    "context_problem": "wlnn.tasks.context_select",
    "sample_landscape": "wlnn.maxent.landscape",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'wlnn.maxent' has no attribute '{name}'")


def __dir__():
    return __all__
