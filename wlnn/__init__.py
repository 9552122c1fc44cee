"""wlnn: entropy landscapes of neural networks by Wang-Landau sampling.

Importing this package loads no numerical library; the names below are loaded when first used.
"""

__version__ = "0.1.0"

# name -> module, or module:name there, or module:* for the module itself
_HOMES = {
    "Axis": "wlnn.landscape.grid",
    "CNN": "wlnn.networks.images",
    "Curve": "wlnn.landscape.landscape",
    "DataSettings": "wlnn.settings.task",
    "Dataset": "wlnn.tasks.datasets",
    "FNN": "wlnn.networks.fnn",
    "Grid": "wlnn.landscape.grid",
    "GridSettings": "wlnn.settings.task",
    "Interrupted": "wlnn.base.running",
    "LadderSettings": "wlnn.settings.ladder",
    "Landscape": "wlnn.landscape.landscape",
    "LayerNetwork": "wlnn.networks.layered",
    "MDSettings": "wlnn.settings.canonical",
    "NetworkSettings": "wlnn.settings.task",
    "NetworkVariables": "wlnn.tasks.smooth",
    "Observable": "wlnn.tasks.observable",
    "Problem": "wlnn.tasks.problem",
    "Progress": "wlnn.base.progress",
    "ResNet10": "wlnn.networks.images",
    "SeekSettings": "wlnn.settings.canonical",
    "Settings": "wlnn.settings.tables",
    "Sketch": "wlnn.networks.layered",
    "Task": "wlnn.tasks.task",
    "TrainSettings": "wlnn.settings.tables",
    "Trained": "wlnn.training.trained",
    "Trajectories": "wlnn.canonical.trajectories",
    "TuneSettings": "wlnn.settings.tables",
    "Tuning": "wlnn.training.tuning",
    "UserError": "wlnn.base.errors",
    "WLMCSettings": "wlnn.settings.samplers",
    "WLMDSettings": "wlnn.settings.samplers",
    "advantage_in_words": "wlnn.report.training",
    "best_of": "wlnn.training.baseline",
    "by_network": "wlnn.training.advantage",
    "canonical_averages": "wlnn.canonical.reweight:canonical",
    "compare": "wlnn.landscape.compare",
    "compare_trained": "wlnn.training.difference",
    "find_landscape": "wlnn.runs.find",
    "find_result": "wlnn.runs.find",
    "learning_coefficient": "wlnn.canonical.learning",
    "load_task": "wlnn.tasks.catalogue",
    "md": "wlnn.canonical.run:simulate",
    "merge": "wlnn.landscape.join:join",
    "overlap": "wlnn.landscape.overlap",
    "plot_advantage": "wlnn.report.plot_training",
    "plot_diagnostics": "wlnn.report.plot",
    "plot_differences": "wlnn.report.plot_training",
    "plot_endings": "wlnn.report.plot_training",
    "plot_landscape": "wlnn.report.plot",
    "plot_maxent": "wlnn.report.plot_maxent:*",
    "plot_md": "wlnn.report.plot_canonical",
    "plot_widths": "wlnn.report.plot_training",
    "read_recipe": "wlnn.runs.recipe",
    "read_table": "wlnn.settings.tables",
    "run": "wlnn.runs.experiment",
    "run_landscape": "wlnn.runs.experiment",
    "run_motion": "wlnn.runs.experiment",
    "run_trainings": "wlnn.runs.experiment",
    "sample": "wlnn.wlmc.run",
    "sample_ladder": "wlnn.ladder.run:sample",
    "sample_wlmd": "wlnn.wlmd.run:sample",
    "save_picture": "wlnn.report.plot:save",
    "seek": "wlnn.canonical.search:search",
    "simulate": "wlnn.canonical.run",
    "task_from_csv": "wlnn.tasks.own",
    "theta_from_tree": "wlnn.networks.trees",
    "train_many": "wlnn.training.run",
    "tree_from_theta": "wlnn.networks.trees",
    "tune": "wlnn.training.tuning",
    "verify": "wlnn.reference:verify",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name in _HOMES:
        from importlib import import_module

        home, _, there = _HOMES[name].partition(":")
        module = import_module(home)
        return module if there == "*" else getattr(module, there or name)
    raise AttributeError(f"module 'wlnn' has no attribute '{name}'")


def __dir__():
    return sorted(__all__)
