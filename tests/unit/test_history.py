"""Logs of own trainings: what is read of them, each thing that is refused, and the command."""

import gzip
import json
import re
import sys

import numpy as np
import pytest
from command_line import run
from test_advantage import ABOUT, made_landscape

from wlnn.base.errors import UserError
from wlnn.tasks.readers.logs import read_log
from wlnn.training import history
from wlnn.training.history import Choice, read_history

HEADER = ["epoch", "train_loss", "test_acc"]
RUNS = [  # of five runs: the loss falls by half each epoch; all accuracies lie 0.1 below 0.7
    [[e, 0.8 * 0.5**e, 0.6 + 0.1 * ((e + k) % 3 - 1)] for e in range(4)] for k in range(5)
]
TEST_LOSS = {**ABOUT, "y": "ln-test-loss"}


def landscape(about=ABOUT):
    return made_landscape([0.7 + 0 * np.arange(40), 0.72 + 0 * np.arange(40)], about=about)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    landscape().save("landscape.npz")
    return tmp_path


def write(name, rows, header=HEADER, sign=",", comma="."):
    lines = [sign.join(header)]
    lines += [sign.join(f"{cell}".replace(".", comma) for cell in row) for row in rows]
    text = "\n".join(lines) + "\n"
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)


def read(pattern, choice=Choice(), about=ABOUT, when=None):  # noqa: B008 - a tuple
    return read_history(landscape(about), pattern, about["y"], choice, when)


@pytest.mark.parametrize(("sign", "comma"), [(",", "."), (";", "."), ("\t", "."), (";", ",")])
def test_dialects_of_csv(sign, comma):
    write("log.csv", RUNS[1], sign=sign, comma=comma)
    made, notes = read("log.csv")
    loss, accuracy = np.array(RUNS[1])[:, 1:].T
    np.testing.assert_allclose(made.metric("ln-train-loss"), [np.log(loss)])
    np.testing.assert_allclose(made.metric("test-accuracy"), [accuracy])
    assert notes == [
        "log.csv: one run, train loss from 'train_loss', test accuracy from 'test_acc'"
    ]
    assert made.words == "history log.csv"


def test_json_lines_are_the_same_runs(here):
    write("log.csv", RUNS[1])
    flat = [dict(zip(HEADER, row, strict=True)) for row in RUNS[1]]
    deep = [{"epoch": e, "train": {"loss": x}, "test": {"acc": y}} for e, x, y in RUNS[1]]
    (here / "a.jsonl").write_text("\n\n".join(map(json.dumps, flat)))
    (here / "b.log").write_text("\ufeff" + "\n".join(map(json.dumps, deep)), encoding="utf-8")
    (here / "c.jsonl.gz").write_bytes(gzip.compress((here / "a.jsonl").read_bytes()))
    expected = read("log.csv")[0].records
    for name in ("a.jsonl", "b.log", "c.jsonl.gz"):
        for record, values in read(name)[0].records.items():
            np.testing.assert_array_equal(values, expected[record])


def test_a_pattern_is_a_set_of_runs_in_the_order_of_their_numbers():
    for k in (10, 2, 1):
        write(f"run-{k}.csv", [[e, x, 0.1 * min(k, 9)] for e, x, _ in RUNS[0]])
    made, notes = read("run-*.csv")
    np.testing.assert_allclose(made.metric("test-accuracy")[:, 0], [0.1, 0.2, 0.9])
    assert notes[0].startswith("run-*.csv: 3 runs")


def test_rows_of_one_epoch_belong_together():
    """As Lightning writes them: the train loss in one row, the validation in another."""
    rows = []
    for epoch, loss, accuracy in RUNS[0]:
        rows += [[epoch, 2 * epoch, loss, ""], [epoch, 2 * epoch + 1, "", accuracy]]
    write("metrics.csv", rows[::-1], ["epoch", "step", "train_loss_epoch", "val_acc"])
    made, _ = read("metrics.csv")
    np.testing.assert_allclose(made.metric("ln-train-loss")[0], np.log([x for _, x, _ in RUNS[0]]))
    np.testing.assert_allclose(made.metric("test-accuracy")[0], [y for *_, y in RUNS[0]])


def test_epochs_with_one_of_the_two_are_left_out_and_counted():
    write("log.csv", [[e, x, y if e % 2 else "NA"] for e, x, y in RUNS[0]])
    made, notes = read("log.csv")
    assert made.epochs == 2
    assert "stand together at 2 of 4 epochs; the others are left out" in notes[1]


def test_without_epochs_a_row_is_one():
    write("log.csv", [row[1:] for row in RUNS[0]], HEADER[1:])
    assert read_log("log.csv").key == "row"
    assert read("log.csv")[0].epochs == 4


def test_a_nan_of_the_log_is_a_run_that_diverged():
    write("a.csv", [[0, 0.7, 0.5], [1, "nan", 0.4], [2, "NaN", 0.4]])
    write("b.csv", RUNS[0])
    assert read("[ab].csv")[0].diverged.tolist() == [2, -1]


NAMES = [  # columns of a log, those that are meant
    (["loss", "accuracy", "val_loss", "val_accuracy"], ("loss", "val_accuracy")),  # Keras
    (["train_loss", "test_acc", "val_acc"], ("train_loss", "test_acc")),  # the test set is meant
    (["Loss/train", "Loss/test", "Acc/train", "Acc/test"], ("Loss/train", "Acc/test")),
    (["train/epoch_loss", "validation/epoch_accuracy"],) * 2,
    (["trainLoss", "validAcc"],) * 2,
    (["training loss", "test accuracy"],) * 2,
    (["ln L_train", "test-accuracy"],) * 2,
    (["mse", "val_sparse_categorical_accuracy"],) * 2,
    (["train_loss_step", "train_loss_epoch", "eval_acc"], ("train_loss_epoch", "eval_acc")),
]


@pytest.mark.parametrize(("names", "meant"), NAMES)
def test_columns_of_common_names(names, meant):
    write("log.csv", [[0.5] * len(names), [0.5] * len(names)], names)
    assert history.columns_of(read_log("log.csv"), "test-accuracy", Choice()) == tuple(meant)


def test_losses_and_their_logarithms():
    """By name, by the option, and y as ln(test loss) of a loss."""
    x = np.array([0.5, 0.25])
    write("a.csv", [*zip(np.log(x), np.log(x), strict=True)], ["ln-train-loss", "ln_test_loss"])
    write("b.csv", [*zip(np.log(x), np.log(x), strict=True)], ["train_loss", "test_loss"])
    write("c.csv", [*zip(x, x, strict=True)], ["train_loss", "test_loss"])
    for name, ln in (("a.csv", False), ("b.csv", True), ("c.csv", False)):
        made, _ = read(name, Choice(ln=ln), TEST_LOSS)
        for record in ("ln-train-loss", "ln-test-loss"):
            np.testing.assert_allclose(made.metric(record), [np.log(x)])
    with pytest.raises(UserError, match=r"b.csv: 'train_loss' holds -0.69.* --ln-loss"):
        read("b.csv", about=TEST_LOSS)
    write("d.csv", [[0.5, -0.5]], ["train_loss", "test_loss"])
    with pytest.raises(UserError, match=r"d.csv: 'test_loss' holds -0.5"):
        read("d.csv", about=TEST_LOSS)


BROKEN = {  # contents of log.csv -> the sentence
    "no columns known": ("a,b\n1,2\n", "called like the train loss; .* of 'a', 'b'"),
    "no test": ("train_loss,x\n1,2\n", "like the test accuracy; say which it is by --test-column"),
    "train accuracy": ("loss,acc\n1,0.5\n", "like the test accuracy"),
    "two of them": (
        "train_loss,mse,train_mse,test_acc\n1,2,3,0.5\n",
        "'train_loss', 'train_mse' may",
    ),
    "words": ("epoch,a,b\n0,low,high\n", "no column holds numbers alone"),
    "half words": (
        "train_loss,test_acc\n1,0.5\nlow,0.5\n",
        "log.csv: line 3, column 'train_loss': 'low' is no number.$",
    ),
    "signs of per cent": (
        "epoch,train_loss,test_acc\n0,1,50%\n",
        "line 2, column 'test_acc': '50%' is no number; write 0.5 for 50 %",
    ),
    "two headers": (
        "epoch,train_loss,test_acc\n0,1,0.5\nepoch,train_loss,test_acc\n0,1,0.5\n",
        "line 3, column 'train_loss': 'train_loss' is no number; the header stands there again",
    ),
    "lists of Keras": (
        '{"loss": [0.5, 0.4], "val_accuracy": [0.5, 0.6]}',
        "line 1, column 'loss': '.0.5, 0.4.' is no number; a value each epoch is needed",
    ),
    "no header": ("1,2\n3,4\n", "line 1 holds numbers"),
    "no row": ("train_loss,test_acc\n", "no row of number"),
    "ragged": ("train_loss,test_acc\n1\n", "line 2 has 1 cells, the header 2"),
    "empty": ("", "the file is empty; a log of a training"),
    "several runs": (
        "epoch,train_loss,test_acc\n0,1,0.5\n1,1,0.5\n0,1,0.5\n",
        "'train_loss' has several values at epoch 0; a file is one run",
    ),
    "apart": (
        "step,train_loss,test_acc\n99,1,\n100,,0.5\n",
        "have no step in common .99 and 100.; log both at the end of an epoch",
    ),
    "epoch": ("epoch,train_loss,test_acc\nnan,1,0.5\n", "line 2, column 'epoch': 'nan' is no num"),
    "negative": ("train_loss,test_acc\n-0.5,0.5\n", "'train_loss' holds -0.5, .* --ln-loss says"),
    "per cent": ("train_loss,test_acc\n0.5,60\n", "log.csv: 'test-accuracy': epoch 1 is 60"),
    "another set": ("train_loss,test_acc\n0.5,0.57\n", "log.csv: 'test-accuracy': the landscape's"),
    "no JSON": ('{"epoch": 1}\n{"epoch": \n', "line 2 is no JSON"),
    "a list": ('[{"epoch": 1, "loss": 1}]\n', "line 1 is no JSON object"),
    "deep": ('{"a":' * 100_000 + "1" + "}" * 100_000, "line 1 is no JSON"),
    "objects of nothing": ("{}\n", "no column holds numbers alone"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_logs_are_refused_in_one_sentence(name, here):
    text, words = BROKEN[name]
    (here / "log.csv").write_text(text)
    with pytest.raises(UserError, match=words) as told:
        read("log.csv")
    assert "log.csv" in str(told.value)
    assert "\n" not in str(told.value)


def test_files_and_columns_that_are_not_there(here):
    write("a.csv", RUNS[0])
    write("b.csv", RUNS[0], ["epoch", "train_loss", "val_acc"])
    (here / "net.pt").write_bytes(b"PK\x80\x81")
    (here / "x.jsonl").write_bytes(b'{"a": "\xff"}')
    cases = {
        "c.csv": (Choice(), "c.csv: there is no such file, and none that fits as a pattern"),
        "logs/*.csv": (Choice(), "logs/.*: there is no such file"),
        "*.csv": (Choice(), "b.csv: its columns are 'train_loss', 'val_acc', those of a.csv are"),
        "net.pt": (Choice(), "net.pt: cannot be read: no CSV text"),
        "x.jsonl": (Choice(), "x.jsonl: is no text in UTF-8"),
        "a.csv": (Choice(train="loss"), "--train-column loss: a.csv has no column of that name"),
        "b.csv": (Choice("val_acc"), "'val_acc' cannot be both"),
    }
    for pattern, (choice, words) in cases.items():
        with pytest.raises(UserError, match=words):
            read(pattern, choice)
    assert read("b.csv", Choice("train_loss", "val_acc"))[0].epochs == 4


def test_files_of_tensorboard(here):
    """Of one file and of folders, by old scalars and new; a folder below leads the tag."""
    writer = pytest.importorskip("tensorboard.summary.writer.event_file_writer")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.scalar.summary import scalar_pb

    def written(folder, tags, scalar):
        events = writer.EventFileWriter(str(folder))
        for epoch, loss, accuracy in RUNS[0]:
            for tag, value in zip(tags, (loss, accuracy), strict=True):
                if tag:
                    events.add_event(Event(step=epoch, summary=scalar(tag, value)))
        events.close()

    def old(tag, value):
        return Summary(value=[Summary.Value(tag=tag, simple_value=value)])

    written(here / "tb/old", ("Loss/train", "Accuracy/test"), old)
    written(here / "tb/new", ("Loss/train", "Accuracy/test"), scalar_pb)
    written(here / "keras/train", ("epoch_loss", None), scalar_pb)
    written(here / "keras/validation", (None, "epoch_accuracy"), scalar_pb)
    loss, accuracy = np.array(RUNS[0])[:, 1:].T
    (file,) = (here / "tb/old").glob("*tfevents*")
    for pattern, n in (("tb/old", 1), (str(file), 1), ("tb/new", 1), ("keras", 1), ("tb/*", 2)):
        made, _ = read(pattern)
        np.testing.assert_allclose(made.metric("ln-train-loss"), [np.log(loss)] * n, rtol=1e-6)
        np.testing.assert_allclose(made.metric("test-accuracy"), [accuracy] * n, rtol=1e-6)
    with pytest.raises(
        UserError, match=r"of 'new/Loss/train', .*; if its folders are runs, give 'tb/\*'"
    ):
        read("tb")
    (here / "cut").mkdir()
    (here / "cut/events.out.tfevents.1").write_bytes(file.read_bytes()[:40])
    (here / "none").mkdir()
    for name, words in {
        "cut": "cut: holds no scalar of TensorBoard",
        "none": "none: the folder holds no event file of TensorBoard .* 'logs/",
    }.items():
        with pytest.raises(UserError, match=words):
            read(name)


def test_without_the_package_of_tensorboard_one_sentence_says_so(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing", None)
    (here / "events.out.tfevents.1").write_bytes(b"x")
    with pytest.raises(UserError, match=r"pip install 'wlnn\[tensorboard\]'"):
        read("events.out.tfevents.1")


def test_the_command_compares_logs_with_a_landscape(here):
    (here / "logs").mkdir()
    for k, rows in enumerate(RUNS):
        write(f"logs/{k}.csv", rows)
    done = run("advantage", "landscape.npz", "--history", "logs/*.csv", "--train-loss", "end")
    assert done.status == 0, done.err
    assert "logs/*.csv: 5 runs, train loss from 'train_loss'" in done.out
    assert "5 trainings of 4 epochs, history logs/*.csv; ± is one standard error" in done.out
    assert "of the network at the end of each epoch, the one that is tested" in done.out
    (line,) = [line for line in done.out.splitlines() if line.startswith("-0.22")]
    assert line.split()[:3] == ["-0.22", "0.710", "±"]
    assert line.split()[7] == "5"  # all of them are there after the first epoch
    assert done.out.endswith("advantage.png\n")
    assert (here / "advantage.png").exists()  # beside the landscape, not among the logs
    running = run(
        "advantage", "landscape.npz", "--history", "logs/*.csv", "--train-loss", "running"
    )
    assert "train loss: mean while the epoch went on" in running.out
    assert "published baseline" in running.out
    alone = run("advantage", "landscape.npz", "--history", "logs/0.csv", "--history", "logs/1.csv")
    assert alone.status == 0, alone.err
    assert "each --history is a set of its own" in alone.out
    assert "no interval" in alone.out
    assert "nan" not in alone.out
    write("b.csv", [[e, x, y] for e, x, y in RUNS[2]], ["epoch", "nll", "acc"])
    named = ("--train-column", "nll", "--test-column", "acc")
    named = run("advantage", "landscape.npz", "--history", "b.csv", *named, "--out", "b.pdf")
    assert named.status == 0, named.err
    assert (here / "b.pdf").exists()


def test_the_command_refuses(here):
    write("log.csv", RUNS[0])
    landscape({**ABOUT, "data": {"seed": 1}}).save("other.npz")
    cases = {
        (
            "landscape.npz",
        ): "no trainings .of wlnn train. among landscape.npz; logs .* by --history",
        ("landscape.npz", "log.csv"): "log.csv: is no result of wlnn; .* give it by --history",
        (
            "landscape.npz",
            "--history",
            "x.csv",
            "log.csv",
        ): "put the pattern of --history in quotes",
        (
            "landscape.npz",
            "other.npz",
            "--history",
            "log.csv",
        ): "needs one landscape .* 2 are given",
        ("landscape.npz", "--train-loss", "end"): "--train-loss is of logs; give them by --history",
        ("landscape.npz", "--ln-loss"): "--ln-loss is of logs",
        ("landscape.npz", "--train-column", "a"): "--train-column is of logs",
        ("landscape.npz", "--history", "log.csv", "--train-loss", "mean"): "'mean' is not one of",
        ("landscape.npz", "--history", "log.csv", "--best-of-all"): "needs two sets of trainings",
        ("landscape.npz", "--history", "none.csv"): "none.csv: there is no such file",
    }
    for arguments, words in cases.items():
        done = run("advantage", *arguments)
        assert done.status == 2, arguments
        assert re.search(words, done.err), (words, done.err)
        assert "Traceback" not in done.err
    assert not (here / "advantage.png").exists()
