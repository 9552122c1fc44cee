"""Columns of the records of motion at a temperature; what fills them is ``langevin.py``.

The first four are of the beginning of a record's steps, the others means over them.
"""

X, Y, ACCURACY, ENERGY, LOSS, LOSS_SQUARED, LN_LOSS, MEAN_Y, MEAN_ACCURACY, KINETIC = range(10)
N_COLUMNS = 10
NAMES = (
    "x", "y", "accuracy", "energy", "loss", "loss_squared", "ln_loss", "mean_y", "mean_accuracy",
    "kinetic",
)  # fmt: skip
