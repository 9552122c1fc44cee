"""One loop over eight images: what the plan writes down and the compiled loops are told."""

from __future__ import annotations

from typing import NamedTuple

LANES = 8
(
    CORRELATE, PRODUCTS, SUMS, MASK, ADD, COPY, MAX_POOL, MAX_POOL_BACK, AVERAGE, AVERAGE_BACK,
    NORM, NORM_BACK,
) = range(12)  # fmt: skip


class Step(NamedTuple):
    """One loop; places and strides in numbers, from the start of the buffer."""

    kind: int
    rows: int = 0  # of the pixels that are written, or summed over
    columns: int = 0
    a: int = 0  # place of the first operand: pixel (0, 0) of its first channel
    a_row: int = 0  # from one row of pixels to the next
    a_column: int = 0
    a_plane: int = 0  # from one channel to the next
    b: int = 0  # the same of the second operand or the result
    b_row: int = 0
    b_column: int = 0
    b_plane: int = 0
    n_outs: int = 0  # channels of the result
    outs: int = 0  # where in the list of places their offsets begin
    n_taps: int = 0  # terms of a sum
    taps: int = 0  # where in the list of places their offsets begin
    weights: int = 0  # where in the packed parameters weights or scales begin
    bias: int = 0  # where in the packed parameters biases or shifts begin
    first: int = 0  # index of the first parameter whose gradient is made
    images: int = 0  # 1: the first operand is the images of the block at hand
    relu: int = 0  # 1: negative results become 0
    more: int = 0  # 1: add to what is there
    window: int = 0  # of a pool; 3: taps come in rows of three
    c: int = 0  # place of a third operand, with the strides of the first
    d: int = 0  # of a fourth
