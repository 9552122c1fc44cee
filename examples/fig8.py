"""Fig. 8: handwritten digits, convolutional networks of 2, 3, 4 channels.

S(ln train loss, smoothed test accuracy) with the equilibrium curve (magenta) and the mean of 100
trainings by SGD (black); below, the difference.

    python examples/fig8.py [--quick] [--widths 1] [--set wlmd.steps=1e6] [--out FOLDER]

Days on two cores; --widths takes the first ones. --quick takes seconds and shows the form alone.
"""

from figure import options, width_figure

if __name__ == "__main__":
    width_figure("mnist", (2, 3, 4), "fig8", options(__doc__, widths=3))
