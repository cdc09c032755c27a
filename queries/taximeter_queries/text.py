"""Names and values, as SQL and as JSON have them."""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

__all__ = ["as_json", "as_text", "exact", "literal", "quoted"]


def literal(text: str) -> str:
    """A text as a constant.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name that may be any text.

    >>> quoted("tag.team")
    '"tag.team"'
    """
    return '"' + name.replace('"', '""') + '"'


def exact(number: Decimal) -> str:
    """All digits of a number, and no more.

    >>> exact(Decimal("0.001500000000")), exact(Decimal("0E-12")), exact(Decimal("1200"))
    ('0.0015', '0', '1200')
    """
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text


def as_json(value: Any) -> str:
    """A value as JSON, exactly; what JSON has no word for is null.

    >>> as_json({"cost_usd": Decimal("0.001500000000"), "share": float("nan")})
    '{"cost_usd": 0.0015, "share": null}'
    """
    if value is None:
        return "null"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(str(key), ensure_ascii=False)}: {as_json(one)}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(as_json, value))}]"
    return json.dumps(as_text(value), ensure_ascii=False)


def _number(value: float | Decimal) -> str:
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "null"  # JSON has no word for it
    return exact(value) if isinstance(value, Decimal) else repr(value)


def as_text(value: Any) -> str:
    """A value as text: times as ISO 8601 with their offset."""
    if isinstance(value, str):
        return value
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)
