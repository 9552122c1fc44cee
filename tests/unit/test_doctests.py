"""Every public name has an example in its docstring, and the example does what it says."""

import doctest
import inspect

import pytest

import wlnn

NAMES = [name for name in wlnn.__all__ if name != "__version__"]


def example_of(name):
    """The example of a public name, as a doctest of its own."""
    text = inspect.getdoc(getattr(wlnn, name)) or ""
    scope = {"__name__": "__main__"}  # as it is at a prompt
    return doctest.DocTestParser().get_doctest(text, scope, name, None, 0)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_does_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = example_of(name)
    assert example.examples, f"wlnn.{name} has no example in its docstring"
    told = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    runner.run(example, out=told.append)
    assert not runner.summarize(verbose=False).failed, "".join(told)


def test_an_example_that_lies_is_found():
    example = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "lie", None, 0)
    assert doctest.DocTestRunner().run(example, out=lambda _: None).failed == 1
