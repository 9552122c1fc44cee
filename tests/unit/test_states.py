"""States on disk: what was saved comes back, and nothing else is taken for it."""

from typing import NamedTuple

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.base.states import load_state, save_state


class Pair(NamedTuple):
    a: np.ndarray
    b: float


ABOUT = {"kind": "made", "number": 3}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "state.npz"
    arrays = {"plain": np.arange(3.0)}
    groups = {"pair": Pair(np.ones((2, 2)), 0.5), "history": {"t": np.arange(4)}}
    save_state(path, ABOUT, {"stage": 7}, arrays, **groups)
    return path


def test_what_was_saved_comes_back(path):
    found = load_state(path, ABOUT, "it", ("stage",), ("plain",), pair=Pair, history=("t",))
    assert found.numbers["stage"] == 7
    np.testing.assert_array_equal(found.arrays["plain"], [0, 1, 2])
    pair = found.groups["pair"]
    assert isinstance(pair, Pair)
    np.testing.assert_array_equal(pair.a, np.ones((2, 2)))
    assert pair.b == 0.5
    np.testing.assert_array_equal(found.groups["history"]["t"], np.arange(4))


def test_where_there_is_no_file_there_is_no_state(path):
    assert load_state(None, ABOUT, "it") is None
    assert load_state(path.with_name("other.npz"), ABOUT, "it") is None


@pytest.mark.parametrize(
    ("about", "wanted", "sentence"),
    [
        ({"kind": "made", "number": 4}, {}, r"state.npz: is not the checkpoint of table 4; delete"),
        (ABOUT, {"numbers": ("stages",)}, r"lacks 'stages' of table 4; delete"),
        (ABOUT, {"arrays": ("plane",)}, r"lacks 'plane' of table 4; delete"),
        (ABOUT, {"history": ("t", "f")}, r"lacks 'history.f' of table 4; delete"),
        (ABOUT, {"gone": Pair}, r"lacks 'gone.a' of table 4; delete"),
    ],
)
def test_another_state_is_refused(path, about, wanted, sentence):
    with pytest.raises(UserError, match=sentence):
        load_state(path, about, "table 4", **wanted)
