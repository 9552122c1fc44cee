"""How to cite a result; the same as CITATION.cff, which does not travel with the package."""

from __future__ import annotations

LANDSCAPE = (
    'Yang, Zhang, Shang & Zhang, "High-entropy advantage in neural networks\' generalizability", '
    "npj Artificial Intelligence 2, 44 (2026), arXiv:2503.13145"
)
MAXENT = (
    'Hruza & Ostojic, "Balancing structure and randomness: maximum entropy networks for '
    'context-dependent computations" (2026), arXiv:2605.25607'
)


def citations(task: dict, version: str = "") -> list[str]:
    """What to cite for a result of a task (as of ``Task.describe``) made by a version of wlnn."""
    from wlnn import __version__

    software = f"wlnn {version or __version__}: entropy landscapes of neural networks by "
    software += "Wang-Landau sampling. The wlnn authors (MIT licence)."
    network = task.get("network", {})
    family = network.get("family") if isinstance(network, dict) else None
    of_contexts = "context-select" in (task.get("task"), family)
    return [software, LANDSCAPE, *([MAXENT] if of_contexts else [])]
