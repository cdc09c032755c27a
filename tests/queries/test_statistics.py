"""Tests of statistics say what published tables and other programs say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taximeter_queries.statistics import FEWEST, Sample, holm, t_two_sided, two_proportions, welch


@pytest.mark.parametrize(
    ("freedom", "t", "p"),
    [
        # scipy 1.17: 2 * scipy.stats.t.sf(t, freedom); the first, third and fourth are in any printed table.
        (1, 1.0, 0.5),
        (10, 2.228138852, 0.05),
        (30, 2.042272456, 0.05),
        (1, 12.7062047364, 0.05),
        (58.3, 1.5, 0.13901072652328186),
        (1234.5, 3.3, 0.0009944554755937191),
        (29, 10, 6.599862576433525e-11),
    ],
)
def test_students_distribution_is_that_of_the_tables(freedom: float, t: float, p: float) -> None:
    assert t_two_sided(t, freedom) == pytest.approx(p, rel=1e-8)
    assert t_two_sided(-t, freedom) == t_two_sided(t, freedom)


def test_with_many_degrees_of_freedom_it_is_the_normal_distribution() -> None:
    assert t_two_sided(1.959963985, 99_999) == pytest.approx(t_two_sided(1.959963985, 100_001), rel=1e-4)
    assert t_two_sided(1.959963985, 1e7) == pytest.approx(0.05, rel=1e-8)


def test_welchs_test_is_that_of_scipy() -> None:
    """scipy 1.17: ttest_ind_from_stats(10, 2, 40, 11, 3, 50, equal_var=False)."""
    assert welch(Sample(40, 10.0, 4.0), Sample(50, 11.0, 9.0)) == pytest.approx(0.062172809377874845, rel=1e-9)


def test_shares_are_compared_as_in_a_textbook() -> None:
    """30 of 100 and 45 of 100: z = 2.19089 with both together, and so 2 * (1 - 0.98577)."""
    assert two_proportions(30, 100, 45, 100) == pytest.approx(math.erfc(2.1908902300206643 / math.sqrt(2)), rel=1e-9)


def test_of_too_few_nothing_is_said() -> None:
    assert welch(Sample(FEWEST - 1, 1.0, 1.0), Sample(1000, 9.0, 1.0)) is None
    assert welch(Sample(0, None, None), Sample(1000, 9.0, 1.0)) is None
    assert two_proportions(1, 100, 2, 100) is None
    assert two_proportions(0, 0, 2, 100) is None


def test_what_never_varies_is_the_same_or_certainly_is_not() -> None:
    assert welch(Sample(50, 1.0, 0.0), Sample(50, 1.0, 0.0)) == 1.0
    assert welch(Sample(50, 1.0, 0.0), Sample(50, 2.0, 0.0)) == 0.0


@given(*(st.floats(-1e6, 1e6) for _ in range(2)), *(st.floats(1e-6, 1e9) for _ in range(2)), st.integers(30, 10**7))
def test_a_p_value_is_a_probability_and_does_not_depend_on_which_side_is_first(
    a: float, b: float, var_a: float, var_b: float, count: int
) -> None:
    one, other = Sample(count, a, var_a), Sample(97, b, var_b)
    p = welch(one, other)
    assert p is not None
    assert 0 <= p <= 1
    assert p == pytest.approx(welch(other, one), rel=1e-9, abs=1e-300)


def test_of_many_tests_fewer_hold_than_of_each_by_itself() -> None:
    """Holm's own procedure: 0.01 against 0.05 / 4, 0.013 against 0.05 / 3, and 0.03 fails against 0.05 / 2."""
    assert holm([0.03, 0.01, None, 0.04, 0.013]) == [False, True, None, False, True]
