"""A synthetic run for the tests of all displays."""

import pytest

from cxr_core.evaluation import summarise
from cxr_core.metrics import BootstrapOptions
from tests.runs import made_up, record_of


@pytest.fixture(scope="session")
def predictions():
    return made_up(400, readers=5)


@pytest.fixture(scope="session")
def summary(predictions):
    return summarise(record_of(predictions), predictions, options=BootstrapOptions(100))
