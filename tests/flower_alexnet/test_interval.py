"""The interval of a share that was measured on few photos."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from flower_alexnet.interval import wilson_interval


@pytest.mark.parametrize(("right", "number"), [(0, 1), (2, 2), (15, 16), (337, 367), (0, 40), (500, 1000)])
def test_it_is_that_of_scipy(right: int, number: int) -> None:
    expected = binomtest(right, number).proportion_ci(method="wilson")
    assert wilson_interval(right, number) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_two_of_two_right_says_little() -> None:
    low, high = wilson_interval(2, 2)
    assert 0.3 < low < 0.4
    assert high == 1
