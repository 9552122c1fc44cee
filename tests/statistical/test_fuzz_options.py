"""Options of every command with values that nobody should give: fixed seed, bounded length.

No traceback; exit status 0, 2, or 130 after Ctrl-C; what is not finite or absurdly large is refused
in one sentence.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from wlnn.base.errors import UserError
from wlnn.settings.tables import Settings, read_table

FUZZER = Path(__file__).with_name("option_fuzzer.py")
ENDLESS = ("nan", "inf", "-inf", "1e300", "-1e300", "1e30")


@pytest.mark.slow
def test_no_option_of_any_command_ends_in_a_traceback_or_takes_what_is_no_number(tmp_path):
    done = subprocess.run(
        [sys.executable, str(FUZZER), "7", "250"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["cases"] > 500
    assert not found["wrong"], "\n".join(map(str, found["wrong"]))


def numeric_settings():
    """ "section.option" of every number of the settings."""
    for section in dataclasses.fields(Settings):
        for option in dataclasses.fields(section.default_factory):
            if type(option.default) in (int, float):
                yield f"{section.name}.{option.name}"


@pytest.mark.parametrize("value", ENDLESS)
def test_no_setting_takes_what_is_no_number(value):
    names = list(numeric_settings())
    assert len(names) > 100
    for name in names:
        with pytest.raises(UserError, match=name.partition(".")[2]):
            read_table("spiral-classify", overrides=[f"{name}={value}"])
