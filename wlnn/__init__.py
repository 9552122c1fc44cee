"""wlnn: entropy landscapes of neural networks by Wang-Landau sampling.

Importing this package loads no numerical library; the names below are loaded when first used.
"""

__version__ = "0.1.0"

_HOMES = {
    "Axis": "wlnn.landscape.grid",
    "CNN": "wlnn.networks.images",
    "Dataset": "wlnn.tasks.datasets",
    "FNN": "wlnn.networks.fnn",
    "Grid": "wlnn.landscape.grid",
    "Interrupted": "wlnn.base.running",
    "Landscape": "wlnn.landscape.landscape",
    "Problem": "wlnn.tasks.problem",
    "ResNet10": "wlnn.networks.images",
    "Settings": "wlnn.settings.tables",
    "Task": "wlnn.tasks.task",
    "TrainSettings": "wlnn.settings.tables",
    "Trained": "wlnn.training.trained",
    "UserError": "wlnn.base.errors",
    "WLMCSettings": "wlnn.settings.samplers",
    "advantage_in_words": "wlnn.report.training",
    "best_of": "wlnn.training.baseline",
    "by_network": "wlnn.training.advantage",
    "compare": "wlnn.landscape.compare",
    "compare_trained": "wlnn.training.difference",
    "load_task": "wlnn.tasks.catalogue",
    "plot_advantage": "wlnn.report.plot_training",
    "plot_diagnostics": "wlnn.report.plot",
    "plot_differences": "wlnn.report.plot_training",
    "plot_endings": "wlnn.report.plot_training",
    "plot_landscape": "wlnn.report.plot",
    "plot_md": "wlnn.report.plot_canonical",
    "plot_widths": "wlnn.report.plot_training",
    "read_table": "wlnn.settings.tables",
    "run_landscape": "wlnn.runs.experiment",
    "run_motion": "wlnn.runs.experiment",
    "run_trainings": "wlnn.runs.experiment",
    "sample": "wlnn.wlmc.run",
    "task_from_csv": "wlnn.tasks.own",
    "train_many": "wlnn.training.run",
    "tune": "wlnn.training.tuning",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'wlnn' has no attribute '{name}'")


def __dir__():
    return sorted(__all__)
