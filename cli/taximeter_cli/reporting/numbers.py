"""Values as people read them: rounded, with their units. Nothing but nothing is shown as nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from taximeter_queries.columns import Column, Unit
from taximeter_queries.text import as_json, exact

__all__ = ["NULL", "RIGHT", "duration", "per_second", "share", "shown", "tokens", "usd"]

NULL = "\N{EN DASH}"
RIGHT = frozenset({Unit.COUNT, Unit.TOKENS, Unit.USD, Unit.MS, Unit.PER_SECOND, Unit.SHARE, Unit.VALUE})
"""What is aligned to the right."""

_ABOUT = frozenset({Unit.MS, Unit.PER_SECOND, Unit.SHARE})
_LARGE = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_SPANS_MS = (("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1000.0))


def shown(value: Any, column: Column, zone: ZoneInfo | None = None) -> str:
    """A value of a column as a table shows it."""
    if value is None:
        return NULL
    if isinstance(value, (float, Decimal)) and not math.isfinite(value):
        return "NaN" if value != value else "∞" if value > 0 else "-∞"
    if isinstance(value, datetime):
        return _moment(value, zone)
    return _OF_UNIT[column.unit](float(value) if column.unit in _ABOUT else value)


def usd(value: Decimal | float) -> str:
    """Money: cents, or as many digits as tell two small sums apart.

    >>> [usd(Decimal(one)) for one in ("1234.5649", "0.01849", "0.0004", "-0.5", "0")]
    ['$1,234.56', '$0.0185', '$0.0004', '-$0.50', '$0.00']
    """
    amount = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    sign, amount = "-" if amount < 0 else "", abs(amount)
    if amount >= 10**9:
        return f"{sign}${_large(amount)}"
    return f"{sign}${_cents(amount)}"


def _cents(amount: Decimal) -> str:
    """Below ten cents three digits that say something; never less than cents."""
    digits = 2 if not amount or amount >= Decimal("0.0995") else 2 - amount.adjusted()
    whole, _, behind = f"{amount:,.{digits}f}".partition(".")
    return f"{whole}.{behind.rstrip('0').ljust(2, '0')}"


def tokens(value: float | Decimal) -> str:
    """Many of something.

    >>> tokens(999), tokens(34_499), tokens(999_950), tokens(1_200_000)
    ('999', '34.5k', '1.0M', '1.2M')
    """
    if value < 0:
        return f"-{tokens(-value)}"
    if value >= 1000:
        return _large(value)
    return str(int(value)) if value == int(value) else _three(float(value))


def _large(value: float | Decimal) -> str:
    for size, letter in _LARGE[::-1]:
        scaled = Decimal(value) / size
        if scaled < Decimal("999.95"):
            return f"{scaled:.1f}{letter}"
    scaled = Decimal(value) / 10**12
    return f"{scaled:,.1f}T" if scaled < 10**6 else f"{Decimal(value):.3e}"


def duration(milliseconds: float) -> str:
    """A time, to three digits.

    >>> [duration(ms) for ms in (0.4213, 431.2, 999.6, 59_990, 125_000, 5_400_000)]
    ['0.421 ms', '431 ms', '1.00 s', '1.00 min', '2.08 min', '1.50 h']
    """
    for unit, size in _SPANS_MS:
        if float(_three(abs(milliseconds) / size, fixed=True)) >= 1:
            return f"{_three(milliseconds / size)} {unit}"
    return f"{_three(milliseconds)} ms"


def per_second(value: float) -> str:
    """A speed.

    >>> per_second(45.23)
    '45.2/s'
    """
    return f"{_three(value)}/s"


def share(value: float) -> str:
    """A share. All is only what is exactly all.

    >>> [share(one) for one in (0.98246, 1, 0.99999, 0, 0.00031, 1e-9, -0.99999)]
    ['98.2 %', '100 %', '>99.9 %', '0 %', '0.031 %', '<0.001 %', '<-99.9 %']
    """
    if value in (0, 1, -1):
        return f"{value:.0%}".replace("%", " %")
    size, sign = abs(value) * 100, "-" if value < 0 else ""
    if size < 0.001:
        return f"{'>-' if sign else '<'}0.001 %"
    if 99.95 <= size < 100:
        return f"{'<-' if sign else '>'}99.9 %"
    if size < 0.1:
        return f"{sign}{size:.2g} %"
    return f"{sign}{size:,.1f} %" if size < 10**6 else f"{sign}{size:.2e} %"


def _three(value: float, fixed: bool = False) -> str:
    """Three digits, or all that are before the point."""
    size = abs(value)
    if not value:
        return "0"
    if size < 0.001 or size >= 10**7:
        return f"{value:f}" if fixed else f"{value:.3g}"
    digits: int = max(0, 2 - math.floor(math.log10(size)))
    text = f"{value:.{digits}f}" if fixed else f"{value:,.{digits}f}"
    # 9.999 has two digits behind the point, and 10.00 one too many.
    return text if digits == 0 or len(text.lstrip("-").replace(".", "").lstrip("0")) <= 3 else text[:-1].rstrip(".")


def _count(value: float | Decimal) -> str:
    if not -(10**12) < value < 10**12:
        return tokens(value)
    return f"{int(value):,}" if value == int(value) else f"{value:,}"


def _plain(value: Any) -> str:
    """A number of which nobody said what it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return exact(value) if isinstance(value, Decimal) else str(value)


def _moment(value: datetime, zone: ZoneInfo | None) -> str:
    value = value.astimezone(zone) if zone and value.tzinfo else value
    return f"{value:%Y-%m-%d %H:%M:%S}"


def _flag(value: Any) -> str:
    return "yes" if value else "no"


def _day(value: date) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _nested(value: Any) -> str:
    """Texts as a list, and by name; all else as JSON."""
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    if isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
        return ", ".join(f"{name}={one}" for name, one in value.items())
    return as_json(value)


_OF_UNIT: dict[Unit, Callable[[Any], str]] = {
    Unit.TEXT: str,
    Unit.COUNT: _count,
    Unit.TOKENS: tokens,
    Unit.USD: usd,
    Unit.MS: duration,
    Unit.PER_SECOND: per_second,
    Unit.SHARE: share,
    Unit.TIME: str,
    Unit.DAY: _day,
    Unit.FLAG: _flag,
    Unit.VALUE: _plain,
    Unit.NESTED: _nested,
}
