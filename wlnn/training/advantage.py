"""Which trainings belong to which landscape, and all of a network's data sets together."""

from __future__ import annotations

from collections.abc import Sequence

from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Landscape
from wlnn.training.difference import Difference, record_of, same_task
from wlnn.training.endings import Ending, ending, over_data_sets
from wlnn.training.trained import Trained


def pairs(
    landscapes: Sequence[Landscape], trained: Sequence[Trained], names: Sequence[str]
) -> list[tuple[Landscape, list[Trained]]]:
    """Each landscape with the trainings of its task, in the order of the number of parameters.

    ``names`` are those of the trainings, for sentences.

    Raises:
        UserError: trainings of no landscape, a landscape without trainings.
    """
    for one, name in zip(trained, names, strict=True):
        if not any(same_task(landscape, one) for landscape in landscapes):
            raise UserError(
                f"{name}: no landscape given here is of its task (data, network, loss, alpha)."
            )
    found = [
        (landscape, [one for one in trained if same_task(landscape, one)])
        for landscape in landscapes
    ]
    for landscape, own in found:
        if not own:
            about = landscape.meta.get("task", {}).get("network", {})
            raise UserError(f"no trainings given here are of the landscape of {about}.")
    return sorted(found, key=lambda pair: pair[0].meta["task"].get("parameters", 0))


def network_name(landscape: Landscape) -> str:
    """The network in a word: 3x6 for three hidden layers of 6, 331-20-1, 2 channels, ..."""
    network = landscape.meta.get("task", {}).get("network", {})
    sizes = network.get("sizes")
    if not sizes:
        words = [str(network.get("family", "network"))]
        channels = network.get("channels")
        return " ".join([*words, f"{channels} channels"] if channels else words)
    hidden = sizes[1:-1]
    if len(hidden) > 1 and len(set(hidden)) == 1:
        return f"{len(hidden)}x{hidden[0]}"
    return "-".join(str(size) for size in sizes)


def by_network(pairs, until: int | None = None) -> list[tuple[str, int, int, Difference]]:
    """(name, parameters, data sets, ending) of every network and every kind of training.

    Pairs whose tasks differ in the data alone are averaged by :func:`over_data_sets`. Left out are
    those whose trainings never come to losses that their landscape holds.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> trained = wlnn.run("spiral-classify", "train", **small, runs=6, epochs=200)
        >>> for network, parameters, data_sets, ending in wlnn.by_network([(landscape, [trained])]):
        ...     print(network, parameters, data_sets)
        2-2-2 12 1
    """
    groups: dict[tuple, list[Ending]] = {}
    for landscape, own in pairs:
        for one in own:
            words = one.words
            epochs = until or one.epochs
            key = (network_name(landscape), landscape.meta["task"]["parameters"], words, epochs)
            groups.setdefault(key, []).append(ending(landscape, one, until))
    kinds = {key[2:] for key in groups}
    record = record_of(pairs[0][0])
    found = []
    for (name, parameters, words, epochs), endings in groups.items():
        usable = [end for end in endings if end.difference.trainings >= 2]
        if usable:
            label = name if len(kinds) == 1 else f"{name}, {words}, {epochs} epochs"
            found.append((label, parameters, len(usable), over_data_sets(usable, record)))
    return found


def one_per_network(pairs) -> list:
    """The first pair of every network: what a picture of all of them shows."""
    first: dict[str, tuple] = {}
    for pair in pairs:
        first.setdefault(network_name(pair[0]), pair)
    return list(first.values())
