"""An estimate holds a number or says why not."""

import dataclasses
import math

import pytest

from cxr_core.estimate import Counts, Estimate

COUNTS = Counts(3, 4, 2, 2)


def test_a_value_may_stand_without_interval():
    assert Estimate(0.5, counts=COUNTS).value == 0.5


def test_a_missing_value_needs_a_reason():
    with pytest.raises(ValueError, match="reason"):
        Estimate(None, counts=COUNTS)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_only_finite_numbers_are_kept(number, place):
    numbers = [0.5, 0.4, 0.6]
    numbers[place] = number
    with pytest.raises(ValueError, match="finite"):
        Estimate(*numbers, COUNTS)


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Estimate(0.5, counts=COUNTS).value = 0.6
