"""The examples in the docstrings of the metrics run and give what they show."""

import doctest
import importlib
import pkgutil

import pytest

from cxr_core import estimate, metrics

MODULES = [estimate.__name__, *(module.name for module in pkgutil.walk_packages(metrics.__path__, "cxr_core.metrics."))]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_every_public_function_has_an_example():
    public = [getattr(metrics, name) for name in metrics.__all__]
    # neither constants nor classes nor names of types, which typing makes callable
    functions = [f for f in public if callable(f) and not isinstance(f, type) and f.__module__ != "typing"]
    assert [f.__name__ for f in functions if ">>>" not in f.__doc__] == []
