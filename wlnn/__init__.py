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
    "TrainSettings": "wlnn.settings",
    "Trained": "wlnn.trained",
    "UserError": "wlnn.errors",
    "WLMCSettings": "wlnn.settings",
    "advantage_in_words": "wlnn.summary_trained",
    "best_of": "wlnn.baseline",
    "by_network": "wlnn.advantage",
    "compare": "wlnn.landscape",
    "compare_trained": "wlnn.advantage",
    "load_task": "wlnn.task",
    "plot_advantage": "wlnn.plot_trained",
    "plot_diagnostics": "wlnn.plot",
    "plot_differences": "wlnn.plot_trained",
    "plot_endings": "wlnn.plot_trained",
    "plot_landscape": "wlnn.plot",
    "plot_md": "wlnn.plot_canonical",
    "plot_widths": "wlnn.plot_trained",
    "read_table": "wlnn.settings",
    "run_landscape": "wlnn.experiment",
    "run_motion": "wlnn.experiment",
    "run_trainings": "wlnn.experiment",
    "sample": "wlnn.run",
    "task_from_csv": "wlnn.task",
    "train_many": "wlnn.run_train",
    "tune": "wlnn.tuning",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'wlnn' has no attribute '{name}'")


def __dir__():
    return sorted(__all__)
