"""Whether two groups of calls differ by more than chance gives, from counts, means and variances.

A p-value is how often a difference this large or larger would show if both groups were alike. It is not how likely it
is that they are alike, and it says nothing of how large the difference is. Calls of one conversation resemble each
other, which makes every p-value look better than it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["FEWEST", "SIGNIFICANT", "Sample", "holm", "t_two_sided", "two_proportions", "welch"]

FEWEST = 30
"""Calls on each side, below which nothing is said: means of so skewed values are not normal before."""
FEWEST_EXPECTED = 5
"""Failures and successes to be expected on each side, likewise: Cochran's rule."""
SIGNIFICANT = 0.05
_MANY = 1e5
"""Degrees of freedom from which Student's distribution is the normal one, as far as anybody can tell."""
_SMALL = 1e-300
_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of one side. The variance is that of a sample: divided by one less than the count."""

    count: int
    mean: float | None
    variance: float | None


def welch(a: Sample, b: Sample) -> float | None:
    """The p-value of Welch's t-test: two means, variances that need not be alike. None if there are too few.

    >>> round(welch(Sample(40, 10.0, 4.0), Sample(50, 11.0, 9.0)), 4)
    0.0622
    """
    if min(a.count, b.count) < FEWEST or a.mean is None or b.mean is None or a.variance is None or b.variance is None:
        return None
    of_a, of_b = a.variance / a.count, b.variance / b.count
    if not math.isfinite(of_a + of_b + a.mean + b.mean):
        return None
    if of_a + of_b <= 0:
        return 1.0 if a.mean == b.mean else 0.0
    share = of_a / (of_a + of_b)
    freedom = 1 / (share**2 / (a.count - 1) + (1 - share) ** 2 / (b.count - 1))
    return t_two_sided((a.mean - b.mean) / math.sqrt(of_a + of_b), freedom)


def two_proportions(a: int, of_a: int, b: int, of_b: int) -> float | None:
    """The p-value of the z-test for two shares, with the variance of both together. None if there are too few."""
    if not of_a or not of_b:
        return None
    both = (a + b) / (of_a + of_b)
    if min(of_a, of_b) * min(both, 1 - both) < FEWEST_EXPECTED:
        return None
    z = (a / of_a - b / of_b) / math.sqrt(both * (1 - both) * (1 / of_a + 1 / of_b))
    return math.erfc(abs(z) / math.sqrt(2))


def holm(p_values: Sequence[float | None], level: float = SIGNIFICANT) -> list[bool | None]:
    """Which of several hold, if all of them together may be wrong with this probability at most (Holm 1979).

    >>> holm([0.01, None, 0.04, 0.03])
    [True, None, False, False]
    """
    verdicts: list[bool | None] = [None if p is None else False for p in p_values]
    order = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    for rank, (p, at) in enumerate(order):
        if p > level / (len(order) - rank):
            break
        verdicts[at] = True
    return verdicts


def t_two_sided(t: float, freedom: float) -> float:
    """How often Student's t is as far from zero, or farther."""
    if freedom >= _MANY:
        return math.erfc(abs(t) / math.sqrt(2))
    return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t), t * t / (freedom + t * t))


def incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """The regularized incomplete beta function; `rest` is 1 - x, told apart for its digits."""
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, rest, x)
    log = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    return math.exp(log) / a / _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """Its continued fraction (DLMF 8.17.22), by Lentz's method."""
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, _STEPS):
        d = _not_zero(1 + _term(step, a, b, x) * d)
        c = _not_zero(1 + _term(step, a, b, x) / c)
        d = 1 / d
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _term(step: int, a: float, b: float, x: float) -> float:
    m = step // 2
    if step % 2:
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))


def _not_zero(value: float) -> float:
    return value if abs(value) > _SMALL else _SMALL
