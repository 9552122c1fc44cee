"""Trained networks beside the law: the rows, their agreement, tables, workers and progress."""

import csv
import io
import json

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.base.pool import over_settings
from wlnn.cli.maxent_tables import csv_text, write_table
from wlnn.maxent.comparison import agreement, compare
from wlnn.maxent.observables import total_variation

SHORT = {"units": 200, "steps": 100, "batch": 16}


def test_rows_do_not_depend_on_the_processes_or_on_other_settings():
    done = []
    rows = compare(
        [2, 3], [0.5], seeds=2, processes=2, progress=lambda d, t: done.append(d / t), **SHORT
    )
    alone = compare([3], [0.5], seeds=2, processes=1, **SHORT)
    np.testing.assert_array_equal(rows[1].units.w, alone[0].units.w)
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1)
    first, second = rows[0].trained
    assert first.c_g != second.c_g  # seeds differ
    assert rows[0].mean("c_g") == pytest.approx((first.c_g + second.c_g) / 2)
    record = rows[0].record()
    assert record["TV(sgd,maxent)"] == pytest.approx(
        total_variation((first.p + second.p) / 2, rows[0].law.p)
    )


def test_kept_networks_are_not_trained_again(tmp_path):
    """A call that ended after some networks goes on with the same bits; other options refuse."""
    short = {"processes": 1, "directory": tmp_path, **SHORT}
    compare([2], [0.5], seeds=1, **short)
    (file,) = tmp_path.glob("*.npz")
    written = file.stat().st_mtime_ns
    worked = []
    rows = compare([2, 3], [0.5], seeds=2, progress=lambda d, t: worked.append((d, t)), **short)
    assert file.stat().st_mtime_ns == written
    assert len(worked) == 1 + 3  # the beginning, and three of four networks
    fresh = compare([2, 3], [0.5], seeds=2, processes=1, **SHORT)
    for row, new in zip(rows, fresh, strict=True):
        assert row.record() == new.record()
        np.testing.assert_array_equal(row.units.m, new.units.m)
    with pytest.raises(UserError, match="trained with steps = 100, not 50"):
        compare([2], [0.5], seeds=1, **(short | {"steps": 50}))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match="damaged"):
        compare([2], [0.5], seeds=1, **short)


def test_agreement_measures_what_it_says():
    class Row:
        def __init__(self, law, sgd):
            self.law = type("Law", (), {"c_g": law, "rho_bar": 1.0})
            self.sgd = sgd

        def mean(self, name):
            return self.sgd if name == "c_g" else 0.5

    laws = np.array([-0.4, -0.2, -0.1, 0.0])
    result = agreement([Row(law, 1.1 * law + 0.01) for law in laws])["c_g"]
    assert result["pearson"] == pytest.approx(1)
    assert result["slope"] == pytest.approx(1.1)
    assert result["rms"] == pytest.approx(np.sqrt(np.mean((0.1 * laws + 0.01) ** 2)))
    assert agreement([Row(-0.4, -0.3)] * 2)["c_g"]["pearson"] is None
    assert agreement([Row(law, law) for law in laws])["rho_bar"]["pearson"] is None  # no spread


@pytest.mark.slow
def test_trained_networks_follow_the_law():
    """Eight settings of two networks: Pearson above 0.97 (measured 0.98 over twenty settings)."""
    result = agreement(compare([2, 4], [0.25, 0.5, 1, 2]))
    assert result["c_g"]["pearson"] > 0.97
    assert result["rho_bar"]["pearson"] > 0.97
    assert result["c_g"]["rms"] < 0.04


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"contexts": []}, "nothing to compare"),
        ({"contexts": [0]}, "contexts = 0"),
        ({"weight_scales": [-1]}, "weight scale = -1"),
        ({"seeds": 0}, "seeds = 0"),
        ({"units": 0}, "units = 0"),
        ({"batch": 3}, "even number"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(options, said):
    call = {"contexts": [2], "weight_scales": [1], "processes": 1} | options
    with pytest.raises(UserError, match=said):
        compare(**call)


def test_tables_hold_every_number(tmp_path):
    rows = [
        {"K": 2, "c_g": -0.1, "p": [0.25, 0.5, 0.25], "rho": [0.0, 0.5, float("nan")]},
        {"K": 3, "c_g": None, "p": [0.1, 0.2, 0.3, 0.4], "rho": [0.0, 0.1, 0.2, 0.3]},
    ]
    read = list(csv.DictReader(io.StringIO(csv_text(rows))))
    expected = ["K", "c_g", *(f"p({n})" for n in range(4)), *(f"rho({n})" for n in range(4))]
    assert list(read[0]) == expected
    assert (read[0]["p(3)"], read[0]["rho(2)"], read[1]["c_g"]) == ("", "", "")
    assert float(read[1]["p(3)"]) == 0.4
    paths = write_table(tmp_path, "table", rows, {"command": "test"})
    assert [path.name for path in paths] == ["table.csv", "table.json"]
    document = json.loads(paths[1].read_text())
    assert document["command"] == "test"
    assert document["rows"][0]["rho"] == [0.0, 0.5, None]


def test_an_error_in_a_worker_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        over_settings(divmod, [(1, 1), (1, 0), (2, 1)], [1, 1, 1], processes=2)
    assert over_settings(divmod, [(5, 2), (9, 4)], [1, 2], processes=1) == [(2, 1), (2, 1)]
