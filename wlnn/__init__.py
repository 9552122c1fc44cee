"""wlnn: entropy landscapes of neural networks by Wang-Landau sampling.

Importing this package loads no numerical library; the names below are loaded when first used.
"""

__version__ = "0.1.0"

_HOMES = {
    "Axis": "wlnn.grid",
    "CNN": "wlnn.network",
    "Dataset": "wlnn.datasets",
    "FNN": "wlnn.network",
    "Grid": "wlnn.grid",
    "Interrupted": "wlnn.run",
    "Landscape": "wlnn.landscape",
    "Problem": "wlnn.problem",
    "ResNet10": "wlnn.network",
    "Settings": "wlnn.settings",
    "Task": "wlnn.task",
    "UserError": "wlnn.errors",
    "WLMCSettings": "wlnn.settings",
    "compare": "wlnn.landscape",
    "load_task": "wlnn.task",
    "plot_diagnostics": "wlnn.plot",
    "plot_landscape": "wlnn.plot",
    "read_table": "wlnn.settings",
    "sample": "wlnn.run",
    "task_from_csv": "wlnn.task",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'wlnn' has no attribute '{name}'")


def __dir__():
    return sorted(__all__)
