"""Fig. 4: molecular dynamics on the training loss of digits, at a temperature.

Train loss and test accuracy against time, means over walkers, and the accuracy of those states
whose loss lies in a window: the motion goes to the equilibrium states by itself.

    python examples/fig4.py [--quick] [--set md.temperature=0.005] [--out FOLDER]

--quick takes seconds and shows the form alone.
"""

from figure import options, save

import wlnn

if __name__ == "__main__":
    chosen = options(__doc__)
    quick = ("md.steps=400", "md.record=20", "md.walkers=2") if chosen.quick else ()
    preset = "quick" if chosen.quick else "default"
    what = ("mnist", "md.temperature=0.005", *quick, *chosen.set)
    motion = wlnn.run_motion(*what, preset=preset, folder=chosen.runs)
    save(wlnn.plot_md(motion), "fig4", chosen)
