"""Fig. 1: on two spirals, networks drawn at equilibrium classify better than trained ones.

(a) S(ln train loss, test accuracy) of the 3x6 network, its equilibrium curve (magenta) and the mean
of 100 trainings (black). (b) Equilibrium against trained accuracy where training ends: four sizes,
two lengths of training, each a mean over data sets.

    python examples/fig1.py [--quick] [--data-sets 6] [--set wlmc.steps=1e7] [--out FOLDER]

Some hours on two cores with the six data sets of the paper; --quick takes seconds and shows the
form alone.
"""

from figure import options, save

import wlnn

QUICK = ("wlmc.steps=1e6", "wlmc.walkers=2", "wlmc.stages=20", "wlmc.anchor_draws=1e4",
         "train.runs=8", "train.epochs=300")  # fmt: skip


def figure(chosen):
    """Sample and train what is not there yet, and draw."""
    preset = "quick" if chosen.quick else "default"
    sizes = [(3, 6), (4, 6)] if chosen.quick else [(3, 6), (3, 8), (4, 6), (4, 8)]
    more = (*(QUICK if chosen.quick else ()), *chosen.set)
    pairs = []
    for layers, width in sizes:
        for seed in range(1 if chosen.quick else chosen.data_sets):
            what = (f"network.layers={layers}", f"network.width={width}", f"data.seed={seed}")
            runs = {"preset": preset, "folder": chosen.runs}
            landscape = wlnn.run_landscape("spiral-classify", *what, *more, **runs)
            trained = wlnn.run_trainings("spiral-classify", *what, *more, **runs)
            pairs.append((landscape, [trained]))
    save(wlnn.plot_advantage(*pairs[0]), "fig1a", chosen)
    longest = pairs[0][1][0].epochs
    points = [
        (f"{name}, {epochs} epochs", one)
        for epochs in (longest // 5, longest)
        for name, _, _, one in wlnn.by_network(pairs, until=epochs)
    ]
    for name, one in points:
        print(f"{name}: ln L {one.x:.2f}, {wlnn.advantage_in_words(one, 'test-accuracy')}")
    if points:
        save(wlnn.plot_endings(points, "test-accuracy"), "fig1b", chosen)


if __name__ == "__main__":
    figure(options(__doc__, data_sets=6))
