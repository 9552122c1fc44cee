"""Fig. 6: photographs of two classes, ResNet-10.

S(ln train loss, smoothed test accuracy) with the equilibrium curve (magenta) and the mean of the
trainings by SGD (black); below, the difference.

    python examples/fig6.py --data cifar-10-python.tar.gz [--quick] [--set wlmd.steps=1e6]

Weeks on two cores. --quick takes seconds and shows the form alone. `wlnn data` says where the file
comes from; with another part of the images than the published one give --set data.selection=seeded.
"""

from figure import options, width_figure

if __name__ == "__main__":
    width_figure("cifar", (6,), "fig6", options(__doc__, files=True, widths=1))
