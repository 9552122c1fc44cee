import errno
import os
import pickle
import stat

import numpy as np
import pytest

from wlnn.base import store
from wlnn.base.errors import UserError

ARRAYS = {
    "entropy": np.linspace(-3, 0, 2000).reshape(40, 50),
    "visits": np.arange(6, dtype=np.int64),
    "rng": np.array([2**63 + 1], dtype=np.uint64),
    "flag": np.array([True, False]),
    "never": np.array([np.nan, -np.inf]),
}
META = {"task": "spiral", "about": {"seed": 0, "x": [1.5, None]}, "text": "Übergröße"}


def files(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path):
    path = store.save(tmp_path / "a.npz", ARRAYS, META)
    arrays, meta = store.load(path)
    assert meta == META
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    assert files(tmp_path) == ["a.npz"]


def test_numpy_numbers_are_stored_as_json(tmp_path):
    meta = {"n": np.int64(3), "x": np.float64(0.5), "list": np.arange(2)}
    _, loaded = store.load(store.save(tmp_path / "a.npz", {}, meta))
    assert loaded == {"n": 3, "x": 0.5, "list": [0, 1]}
    with pytest.raises(TypeError, match="JSON"):
        store.save(tmp_path / "b.npz", {}, {"thing": object()})


def test_nothing_is_pickled(tmp_path):
    with pytest.raises(ValueError, match="plain numbers"):
        store.save(tmp_path / "a.npz", {"a": np.array([{}], dtype=object)}, {})
    assert files(tmp_path) == []
    poisoned = tmp_path / "b.npz"
    np.savez(poisoned, wlnn_meta=np.array([{"format": 1}], dtype=object))
    with pytest.raises(UserError, match=r"b\.npz"):
        store.load(poisoned)


def test_files_get_the_usual_permissions(tmp_path):
    path = store.save(tmp_path / "a.npz", ARRAYS, META)
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize("kept", [0, 1, 2, 100, 5000, 0.5, 0.9, -100, -1])
def test_a_truncated_file_is_one_sentence(tmp_path, kept):
    path = store.save(tmp_path / "walker-003.npz", ARRAYS, META)
    whole = path.read_bytes()
    end = int(kept * len(whole)) if isinstance(kept, float) else kept
    path.write_bytes(whole[:end])
    with pytest.raises(UserError) as error:
        store.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert "cut short" in str(error.value) or end < 2  # two letters are too few to know


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_damaged_file_is_told(tmp_path, place):
    path = store.save(tmp_path / "a.npz", {"a": np.arange(10_000.0)}, META)
    contents = bytearray(path.read_bytes())
    contents[int(place * len(contents))] ^= 0xFF
    path.write_bytes(contents)
    with pytest.raises(UserError, match=r"a\.npz: the file is cut short or damaged"):
        store.load(path)


def test_foreign_files_are_told(tmp_path):
    foreign = tmp_path / "foreign.npz"
    foreign.write_text("name,value\n1,2\n")
    contents = [foreign.read_bytes(), pickle.dumps({"format": 1}), b"\x89PNG\r\n\x1a\n" + b"0" * 99]
    np.savez(foreign, a=np.arange(3))
    contents.append(foreign.read_bytes())
    np.save(tmp_path / "one.npy", np.arange(3))
    contents.append((tmp_path / "one.npy").read_bytes())
    for content in contents:
        foreign.write_bytes(content)
        with pytest.raises(UserError, match=r"foreign\.npz: this is no file of wlnn"):
            store.load(foreign)


def test_newer_formats_missing_files_and_folders_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "FORMAT", 2)
    path = store.save(tmp_path / "a.npz", ARRAYS, META)
    monkeypatch.setattr(store, "FORMAT", 1)
    with pytest.raises(UserError, match=r"a\.npz: written by a later version .*format 2"):
        store.load(path)
    with pytest.raises(UserError, match=r"none\.npz: cannot be read: no such file"):
        store.load(tmp_path / "none.npz")
    with pytest.raises(UserError, match="cannot be read: is a directory"):
        store.load(tmp_path)
    with pytest.raises(UserError, match=r"b\.npz: cannot be written: no such file"):
        store.save(tmp_path / "no" / "b.npz", ARRAYS, META)


def full_disk(monkeypatch, after):
    """Every file opened for writing takes ``after`` bytes and then says that the disk is full."""
    real = store.tempfile.NamedTemporaryFile

    def opened(*args, **kwargs):
        file = real(*args, **kwargs)
        write, left = file.write, [after]

        def limited(data):
            left[0] -= len(data)
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(data)

        file.write = limited
        return file

    monkeypatch.setattr(store.tempfile, "NamedTemporaryFile", opened)


@pytest.mark.parametrize("after", [0, 200, 9000])
def test_a_full_disk_leaves_the_earlier_file_and_no_other(tmp_path, monkeypatch, after):
    path = store.save(tmp_path / "a.npz", {"a": np.ones(3)}, {"old": True})
    full_disk(monkeypatch, after)
    with pytest.raises(UserError, match=r"a\.npz: cannot be written: no space left on device"):
        store.save(path, ARRAYS, META)
    assert files(tmp_path) == ["a.npz"]
    assert store.load(path)[1] == {"old": True}


def test_a_failing_sync_or_an_interrupt_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = store.save(tmp_path / "a.npz", {"a": np.ones(3)}, {"old": True})

    def fail(kind):
        def fsync(_):
            raise kind

        monkeypatch.setattr(store.os, "fsync", fsync)

    fail(OSError(errno.EIO, os.strerror(errno.EIO)))
    with pytest.raises(UserError, match="cannot be written"):
        store.save(path, ARRAYS, META)
    fail(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        store.save(path, ARRAYS, META)
    assert files(tmp_path) == ["a.npz"]
    assert store.load(path)[1] == {"old": True}


def test_a_read_only_folder_is_told(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):  # what the system says there; a chmod does not stop root
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(store.tempfile, "NamedTemporaryFile", refuse)
    with pytest.raises(UserError, match=r"a\.npz: cannot be written: permission denied"):
        store.save(tmp_path / "a.npz", ARRAYS, META)


# --- run directories ---

IDENTITY = {"task": {"task": "spiral", "seed": 0}, "wlmc": {"steps": 100, "walkers": 4}}


def test_a_run_directory_is_made_and_entered_again(tmp_path):
    folder = tmp_path / "runs" / "spiral"
    notes = {"versions": store.versions(), "command": ["wlnn", "sample"]}
    assert store.open_run(folder, IDENTITY, notes) == folder
    assert files(folder) == ["run.json"]
    before = (folder / "run.json").read_bytes()
    store.checkpoint_path(folder, 3).touch()
    store.open_run(folder, IDENTITY, {"command": ["wlnn", "resume"]})
    assert (folder / "run.json").read_bytes() == before
    run = store.read_run(folder)
    assert run["identity"] == IDENTITY
    assert run["command"] == ["wlnn", "sample"]
    assert set(run["versions"][0]) == {"wlnn", "python", "numpy", "numba", "cpu"}
    assert store.checkpoint_path(folder, 3).name == "walker-003.npz"


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("wlmc", "steps", 200, "wlmc.steps is 100 there and 200 here"),
        ("task", "seed", 1, "task.seed is 0 there and 1 here"),
        ("wlmc", "late", "x", "'wlmc.late' is only known here"),
    ],
)
def test_another_run_is_refused_and_told_apart(tmp_path, section, key, value, words):
    store.open_run(tmp_path / "run", IDENTITY, {})
    other = {**IDENTITY, section: {**IDENTITY[section], key: value}}
    with pytest.raises(UserError, match=words):
        store.open_run(tmp_path / "run", other, {})
    with pytest.raises(UserError, match="is only known there"):
        store.open_run(tmp_path / "run", {"task": IDENTITY["task"]}, {})


def test_directories_that_are_no_runs_are_told(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"holds files but no run\.json"):
        store.open_run(tmp_path, IDENTITY, {})
    with pytest.raises(UserError, match="is no run directory"):
        store.read_run(tmp_path)
    with pytest.raises(UserError, match="cannot be used for a run"):
        store.open_run(tmp_path / "notes.txt", IDENTITY, {})
    for text in ("{", "[]", '{"format": 1}', '{"format": 1, "identity": {}}'):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(UserError, match=r"no run\.json of wlnn, or a damaged one"):
            store.open_run(tmp_path, IDENTITY, {})
    (tmp_path / "run.json").write_text('{"format": 99, "identity": {"task": 1}}')
    with pytest.raises(UserError, match="later version"):
        store.read_run(tmp_path)


def test_notes_of_a_run_are_changed_and_its_identity_is_not(tmp_path):
    folder = store.open_run(tmp_path / "run", {"task": "t", "seed": 1}, {"a": 1, "b": 2})
    store.change_notes(folder, {"b": (3, 4), "c": None})
    found = store.read_run(folder)
    assert found["identity"] == {"task": "t", "seed": 1}
    assert (found["a"], found["b"], found["c"]) == (1, [3, 4], None)
    before = (folder / "run.json").stat().st_mtime_ns
    store.change_notes(folder, {"b": [3, 4]})  # nothing to write
    assert (folder / "run.json").stat().st_mtime_ns == before
    store.open_run(folder, {"task": "t", "seed": 1}, {"a": 9})
    assert store.read_run(folder)["a"] == 1


def test_a_run_without_a_result_is_still_of_its_sampler(tmp_path):
    store.open_run(tmp_path, {"task": "t", "sampler": "md"}, {"recipe": {}})
    assert store.holds(tmp_path, "md", "md.npz", "md")
    assert not store.holds(tmp_path, "trained", "trained.npz", "train")
    assert not store.holds(tmp_path / "..", "md", "md.npz", "md")
    path = store.save(tmp_path / "any.npz", {"a": np.zeros(1)}, {"kind": "md"})
    assert store.holds(path, "md", "md.npz", "md")
    assert not store.holds(path, "trained", "trained.npz", "train")


def test_a_run_json_that_is_there_and_cannot_be_read_says_why(tmp_path):
    (tmp_path / "landscape.npz").touch()
    (tmp_path / "run.json").mkdir()  # as one of another user: an error of the system, not "none"
    with pytest.raises(UserError, match=r"run\.json: cannot be read: is a directory\.$"):
        store.read_run(tmp_path)
