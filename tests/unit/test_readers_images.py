"""Readers of digits and photographs, against files made here and the real ones, where they are."""

import io
import pickle
import tarfile

import numpy as np
import pytest
from data_files import POINTER, SHARED, idx, python2_batch, refused, write_mnist

from wlnn.base.errors import UserError
from wlnn.settings.task import DataSettings
from wlnn.tasks.readers import cifar, mnist
from wlnn.tasks.readers.images import scaled_images

real = pytest.mark.skipif(not SHARED.exists(), reason="the data are not beside the checkout")


@pytest.fixture
def digits(rng, monkeypatch):
    """300 random digits that play the whole training set, 20 of them the published selection."""
    monkeypatch.setattr(mnist, "ALL", 300)
    monkeypatch.setattr(mnist, "published_images", lambda: np.arange(299, 279, -1))
    images = rng.integers(0, 256, (300, 28, 28), dtype=np.uint8)
    return images, (np.arange(300) % 10).astype(np.uint8)


def test_all_formats_of_digits_are_one(tmp_path, digits):
    images, labels = digits
    for name in ("raw", "packed"):
        (tmp_path / name).mkdir()
        write_mnist(tmp_path / name, images, labels, name == "packed")
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=labels, x_test=1, y_test=1)
    places = ("raw", "packed", "mnist.npz", "raw/train-images-idx3-ubyte")
    for place in places:
        pool = mnist.digits(tmp_path / place)
        np.testing.assert_array_equal(pool.images[:, 0], images)
        np.testing.assert_array_equal(pool.labels, labels)
    draw = DataSettings(points=10, test_points=10, selection="published")
    data = mnist.read_mnist(tmp_path / "raw", draw)
    np.testing.assert_array_equal(data.x_train[:, 0], images[299:289:-1])
    np.testing.assert_array_equal(data.x_test[:, 0], images[289:279:-1])
    np.testing.assert_array_equal(data.y_test, labels[289:279:-1])
    seeded = DataSettings(points=100, test_points=50, selection="seeded", seed=1)
    first, again = (mnist.read_mnist(tmp_path / "raw", seeded) for _ in range(2))
    np.testing.assert_array_equal(first.x_test, again.x_test)
    assert len({x.tobytes() for x in np.concatenate([first.x_train, first.x_test])}) == 150


def test_scales_of_images(rng):
    train, test = rng.integers(0, 256, (2, 5, 3, 4, 4), dtype=np.uint8)
    raw, _, _ = scaled_images(train, test, "raw")
    np.testing.assert_array_equal(raw, train)
    np.testing.assert_allclose(scaled_images(train, test, "unit")[1], test / 255)
    x, y, used = scaled_images(train, test, "standard")
    np.testing.assert_allclose(x.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=(0, 2, 3)), 1)
    np.testing.assert_allclose(y[0, 1], (test[0, 1] - used["mean"][1]) / used["std"][1])


def test_the_digits_in_the_package_are_the_published_selection():
    draw = DataSettings(points=250, test_points=250, selection="published")
    data = mnist.read_mnist(None, draw)
    pool = mnist.digits(None)
    np.testing.assert_array_equal(pool.index, np.random.RandomState(1).permutation(60000)[59500:])
    np.testing.assert_array_equal(data.x_train, pool.images[:250])
    np.testing.assert_array_equal(data.y_test, pool.labels[250:])
    assert data.x_train.max() == 255
    assert data.classes == 10


@real
def test_the_digits_in_the_package_are_those_of_the_training_set():
    draw = DataSettings(points=250, test_points=250, selection="published")
    shipped = mnist.read_mnist(None, draw)
    drawn = mnist.read_mnist(SHARED / "mnist/mnist_pool5000.npz", draw)
    np.testing.assert_array_equal(shipped.x_train, drawn.x_train)
    np.testing.assert_array_equal(shipped.y_test, drawn.y_test)


DIGITS = {
    "wrong magic number": (lambda i, s: s(i=b"\x00\x00\x08\x02" + idx(i)[4:]), "magic number 2050"),
    "labels for images": (lambda i, s: s(i=idx(i[:, 0, 0])), "2049 (that of labels)"),
    "images for labels": (lambda i, s: s(l=idx(i)), "2051 (that of images)"),
    "cut in the header": (lambda i, s: s(i=idx(i)[:10]), "within its header"),
    "cut short": (lambda i, s: s(i=idx(i)[:-5]), "cut short or damaged"),
    "too long": (lambda i, s: s(i=idx(i) + b"1"), "cut short or damaged"),
    "other pixels": (lambda i, s: s(i=idx(i[:, :14])), "14 x 28 pixels"),
    "no labels": (lambda i, s: s(l=None), "there is no train-labels-idx1-ubyte beside it"),
    "fewer labels": (lambda i, s: s(l=idx(i[:9, 0, 0] % 10)), "as many labels"),
    "label 10": (lambda i, s: s(l=idx(i[:, 0, 0] * 0 + 10)), "must be 0..9"),
    "Git LFS pointer": (lambda i, s: s(i=POINTER), "Git LFS pointer"),
    "half an archive": (lambda i, s: s(i=b"\x1f\x8b\x08\x00abc"), "cut short or damaged"),
    "empty": (lambda i, s: s(i=b""), "is empty"),
}


@pytest.mark.parametrize(("spoil", "words"), DIGITS.values(), ids=DIGITS)
def test_wrong_digits(tmp_path, digits, spoil, words):
    images, labels = digits
    write_mnist(tmp_path, images, labels)

    def s(i=True, l=True):  # noqa: E741
        for kind, contents in (("images-idx3", i), ("labels-idx1", l)):
            path = tmp_path / f"train-{kind}-ubyte"
            if contents is None:
                path.unlink()
            elif contents is not True:
                path.write_bytes(contents)

    spoil(images, s)
    refused(lambda: mnist.digits(tmp_path), "train-", words)


def test_wrong_archives_of_digits(tmp_path, digits):
    images, labels = digits
    np.savez(tmp_path / "a.npz", x_train=images)
    refused(lambda: mnist.digits(tmp_path / "a.npz"), "a.npz", "instead of x_train and y_train")
    np.savez(tmp_path / "b.npz", x_train=images / 255, y_train=labels)
    refused(lambda: mnist.digits(tmp_path / "b.npz"), "b.npz", "type float64")
    np.savez(tmp_path / "c.npz", x_train=images, y_train=labels)
    whole = (tmp_path / "c.npz").read_bytes()
    (tmp_path / "c.npz").write_bytes(whole[: len(whole) // 2])
    refused(lambda: mnist.digits(tmp_path / "c.npz"), "c.npz", "cut short or damaged")
    np.savez(tmp_path / "d.npz", x=images[:100], y=labels[:100], index=np.arange(100))
    draw = DataSettings(points=10, test_points=10, selection="published")
    refused(
        lambda: mnist.read_mnist(tmp_path / "d.npz", draw), "d.npz", "lacks 20 of the 20 images"
    )
    refused(lambda: mnist.read_mnist(tmp_path / "e.npz", draw), "e.npz", "no such file")
    (tmp_path / "empty").mkdir()
    refused(lambda: mnist.read_mnist(tmp_path / "empty", draw), "empty", "the folder holds none of")


@pytest.fixture
def batches(rng, monkeypatch):
    """Five batches of 40 random images, which play the whole set of 10 classes."""
    monkeypatch.setattr(cifar, "EACH", 40)
    monkeypatch.setattr(cifar, "PAIR", 40)
    images = rng.integers(0, 256, (200, 3, 32, 32), dtype=np.uint8)
    return images, rng.permutation(np.repeat(np.arange(10), 20))


def parts(array):
    return np.split(array, 5)


def archive(path, contents):
    with tarfile.open(path, "w:gz") as file:
        for name, data in contents.items():
            info = tarfile.TarInfo(f"cifar-10/{name}")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


def test_all_formats_of_photographs_are_one(tmp_path, batches):
    images, labels = batches
    python = [python2_batch(i, k) for i, k in zip(parts(images), parts(labels), strict=True)]
    python3 = [
        pickle.dumps({"data": i.reshape(40, -1), "labels": [int(label) for label in k]}, protocol=2)
        for i, k in zip(parts(images), parts(labels), strict=True)
    ]
    binary = [
        np.concatenate([k[:, None].astype(np.uint8), i.reshape(40, -1)], axis=1).tobytes()
        for i, k in zip(parts(images), parts(labels), strict=True)
    ]
    for folder, names, contents in (
        ("cifar-10-batches-py", cifar.PYTHON_NAMES, python),
        ("three", cifar.PYTHON_NAMES, python3),
        ("binary", cifar.BINARY_NAMES, binary),
    ):
        (tmp_path / folder).mkdir()
        for name, data in zip(names, contents, strict=True):
            (tmp_path / folder / name).write_bytes(data)
        archive(tmp_path / f"{folder}.tar.gz", dict(zip(names, contents, strict=True)))
    np.savez(tmp_path / "c.npz", x=images.transpose(0, 2, 3, 1), cifar_label=labels)
    places = ["cifar-10-batches-py", "three", "binary", "cifar-10-batches-py.tar.gz"]
    wanted = np.flatnonzero(np.isin(labels, (6, 3)))
    for place in [*places, "three.tar.gz", "binary.tar.gz", "c.npz", "."]:
        pool = cifar.photographs(tmp_path / place, (6, 3))
        np.testing.assert_array_equal(pool.images, images[wanted])
        np.testing.assert_array_equal(pool.labels, labels[wanted] == 3)
        np.testing.assert_array_equal(pool.index, np.arange(40))
    draw = DataSettings(points=10, selection="published", first_class=6, second_class=3)
    data = cifar.read_cifar(tmp_path / "three", draw)
    order = np.random.RandomState(1).permutation(40)[20:]
    np.testing.assert_array_equal(data.x_train, images[wanted][order[:10]])
    np.testing.assert_array_equal(data.x_test, images[wanted][order[10:]])


def bad(name, *arguments):
    """A pickle that calls ``name`` of a module when it is loaded."""
    module, _, attribute = name.rpartition(".")
    text = repr(arguments[0]) if arguments else "''"
    return f"c{module}\n{attribute}\n(S{text}\ntR.".encode()


def test_nothing_that_a_pickle_names_is_run(tmp_path):
    """Every one of these would do something if it were unpickled as usual; one leaves a file."""
    trace = tmp_path / "was-here"
    for contents in (
        bad("os.system", f"touch {trace}"),
        bad("posix.system", f"touch {trace}"),
        bad("builtins.eval", f"open('{trace}', 'w')"),
        bad("numpy.load", "x.npy"),
        bad("numpy.core.multiarray.scalar", "x"),
        bad("numpy.lib.npyio.load", "x"),
        bad("subprocess.check_output", f"touch {trace}"),
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93.",
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"\x80\x02}U\x04dataPelsewhere\ns.",
    ):
        with pytest.raises(UserError, match=r"no python batch of CIFAR-10: it .*is not loaded"):
            cifar.python_batch(contents, "data_batch_1")
    assert not trace.exists()
    with pytest.raises(cifar._RefusedError):  # the stand-in for text takes one coding
        cifar._ArrayUnpickler(io.BytesIO()).as_bytes("x", "zlib")


PHOTOGRAPHS = {
    "cut short": (lambda i, k: python2_batch(i, k)[:-2000], "cut short or damaged"),
    "no pickle": (lambda i, k: b"nothing of the kind", "no python batch"),
    "a list": (lambda i, k: pickle.dumps([1], protocol=2), "holds no dictionary"),
    "no labels": (lambda i, k: pickle.dumps({"data": i.reshape(40, -1)}, protocol=2), "lacks"),
    "fewer images": (lambda i, k: python2_batch(i[:7], k), "shape (7, 3072)"),
    "floats": (
        lambda i, k: pickle.dumps(
            {"data": i.reshape(40, -1) / 255, "labels": k.tolist()}, protocol=2
        ),
        "type f8",
    ),
    "objects": (
        lambda i, k: pickle.dumps(
            {"data": i.reshape(40, -1).astype(object), "labels": k.tolist()}, protocol=2
        ),
        "type O8",
    ),
    "label 10": (lambda i, k: python2_batch(i, [*k[1:], 10]), "must be 0..9"),
    "fewer labels": (lambda i, k: python2_batch(i, k[:3]), "'labels' must be 40"),
    "Git LFS pointer": (lambda i, k: POINTER, "Git LFS pointer"),
    "missing": (lambda i, k: None, "cannot be read"),
}


@pytest.mark.parametrize(("contents", "words"), PHOTOGRAPHS.values(), ids=PHOTOGRAPHS)
def test_wrong_photographs(tmp_path, batches, contents, words):
    images, labels = batches
    for k, name in enumerate(cifar.PYTHON_NAMES):
        (tmp_path / name).write_bytes(python2_batch(parts(images)[k], parts(labels)[k]))
    written = contents(parts(images)[1], parts(labels)[1])
    path = tmp_path / "data_batch_2"
    path.unlink() if written is None else path.write_bytes(written)
    refused(lambda: cifar.photographs(tmp_path, (4, 6)), "data_batch_2", words)


def test_wrong_archives_of_photographs(tmp_path, batches):
    images, labels = batches
    for words, contents in {
        "lacks data_batch_1": {"readme": b"x"},
        "has 5 bytes": dict.fromkeys(cifar.BINARY_NAMES, b"12345"),
    }.items():
        archive(tmp_path / "a.tar.gz", contents)
        refused(lambda: cifar.photographs(tmp_path / "a.tar.gz", (4, 6)), "a.tar.gz", words)
    whole = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    refused(lambda: cifar.photographs(tmp_path / "a.tar.gz", (4, 6)), "a.tar.gz", "cut short")
    np.savez(tmp_path / "b.npz", x=images, y=labels)
    refused(lambda: cifar.photographs(tmp_path / "b.npz", (4, 6)), "b.npz", "cifar_label")
    np.savez(tmp_path / "c.npz", x=images, cifar_label=labels * 0)
    refused(lambda: cifar.photographs(tmp_path / "c.npz", (0, 6)), "c.npz", "class 6 (frog)")
    np.savez(tmp_path / "d.npz", x=images[:30], cifar_label=np.arange(30) % 10)
    draw = DataSettings(points=2, selection="published")
    refused(lambda: cifar.read_cifar(tmp_path / "d.npz", draw), "d.npz", "published selection")
    twice = DataSettings(first_class=4, second_class=4)
    refused(lambda: cifar.read_cifar(tmp_path / "d.npz", twice), "4,4", "two different classes")


@real
def test_the_real_photographs():
    draw = DataSettings(points=100, selection="seeded", seed=2)
    data = cifar.read_cifar(SHARED / "cifar/cifar_deerfrog_exact836.npz", draw)
    assert data.x_train.shape == (100, 3, 32, 32)
    assert set(data.y_train) == set(data.y_test) == {0, 1}
    assert data.source["class_names"] == ["deer", "frog"]


def test_labels_of_another_type_are_taken_if_whole_and_else_named(tmp_path, digits):
    images, labels = digits
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels.astype(np.float32))
    np.testing.assert_array_equal(mnist.digits(tmp_path / "a.npz").labels, labels)
    for wrong, words in (
        (labels.astype(str), "the labels are of type <U"),
        (labels + 0.5, "the labels are of type float64; whole numbers are needed"),
        (labels[1:], "as many labels"),
    ):
        np.savez(tmp_path / "b.npz", x_train=images, y_train=wrong)
        refused(lambda: mnist.digits(tmp_path / "b.npz"), "b.npz", words)
