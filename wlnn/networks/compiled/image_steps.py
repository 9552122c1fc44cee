"""One loop over eight images: what the plan writes down and the compiled loops are told.

Nothing is planned and nothing runs here.
"""

from __future__ import annotations

from typing import NamedTuple

LANES = 8
(
    CORRELATE, PRODUCTS, SUMS, MASK, ADD, COPY, MAX_POOL, MAX_POOL_BACK, AVERAGE, AVERAGE_BACK,
    NORM, NORM_BACK, ACTIVATE, ACTIVATE_BACK,
) = range(14)  # fmt: skip


class Step(NamedTuple):
    """One loop; places and strides in numbers, from the start of the buffer.

    A place is that of pixel (0, 0) of the first channel. Backwards, ``input`` and ``output`` are
    still the values that the layer read and made, and the gradients of both have their strides;
    but a convolution and a copy run there as forwards, with the gradients for input and output.
    """

    kind: int
    rows: int = 0  # of the pixels that are written, or summed over
    columns: int = 0
    input: int = 0  # place of what is read
    input_row: int = 0  # from one row of pixels to the next
    input_column: int = 0
    input_plane: int = 0  # from one channel to the next
    output: int = 0  # the same of what is made
    output_row: int = 0
    output_column: int = 0
    output_plane: int = 0
    input_gradient: int = 0  # place of the gradient by the input, with its strides
    output_gradient: int = 0
    term: int = 0  # place of the second term of a sum, with the strides of the input
    inverse: int = 0  # where a norm keeps 1 / sqrt(variance) of every pixel
    channels: int = 0  # of the output
    outs: int = 0  # where in the list of places the offsets of these channels begin
    n_taps: int = 0  # terms of a sum
    taps: int = 0  # where in the list of places their offsets begin
    weights: int = 0  # where in the packed parameters weights or scales begin
    bias: int = 0  # where in the packed parameters biases or shifts begin
    parameter: int = 0  # index of the first parameter whose gradient is made
    images: int = 0  # 1: the input is the images of the block at hand
    relu: int = 0  # 1: negative results become 0
    more: int = 0  # 1: add to what is there
    window: int = 0  # of a pool; 3: taps come in rows of three; which function is the activation
