"""The patterns that have a name.

A pattern is looked for with RE2, whose time is proportional to the text whatever the text is. Where a regular
expression cannot tell a card from an order number, what it finds is looked at once more, by a function of `checks.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from taximeter_collector.redact import checks

__all__ = ["BUILTIN", "REDACTED", "Pattern"]

REDACTED = "[redacted]"


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is looked for in texts, and what it becomes."""

    name: str
    regex: str
    """For RE2: what is replaced; with a `rewrite`, what every text has that may have to be rewritten."""
    replacement: str = REDACTED
    rewrite: Callable[[str, str], str] | None = None
    """The text with what is really meant replaced by the second argument."""
    in_numbers: bool = False
    """Whether a number can be meant."""
    trace: str = ""
    """What must be in every text that holds such a thing, escaped as JSON or not; "" if that is not known."""


# Letters of the alphabets that addresses are written in. Where words are not apart from each other, as in Chinese,
# the text around an address must not be taken for a part of it.
_L = r"A-Za-z\x{C0}-\x{24F}\x{370}-\x{52F}"
_LABEL = rf"[{_L}0-9](?:[{_L}0-9-]*[{_L}0-9])?"
# No label is just `2x`: icon@2x.png is a picture.
_FIRST = rf"(?:[{_L}][{_L}0-9-]*|[0-9](?:[a-wyzA-WYZ0-9-][{_L}0-9-]*|[xX][{_L}0-9-]+)?)"
_EMAIL = rf"[{_L}0-9_%+][{_L}0-9._%+'-]*@{_FIRST}(?:\.{_LABEL})*\.[{_L}]{{2,}}"
_PEM = r"(?s)-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*-----|\z)"
_USERINFO = r"\b([A-Za-z][A-Za-z0-9+.-]*://)[^\s/:@?#\"'<>]*:[^\s/@?#\"'<>]+@"

BUILTIN: dict[str, Pattern] = {
    pattern.name: pattern
    for pattern in (
        Pattern("email", _EMAIL, trace="@"),
        Pattern(
            "credit-card", checks.CARD_HINT, rewrite=checks.without_cards, in_numbers=True, trace=checks.CARD_DIGITS
        ),
        Pattern("iban", checks.IBAN_HINT, rewrite=checks.without_ibans, trace=checks.IBAN_BEGIN),
        Pattern("us-ssn", checks.SSN_HINT, rewrite=checks.without_ssns, trace=checks.SSN_HINT),
        Pattern("ip-address", checks.IP_HINT, rewrite=checks.without_ips, trace=checks.IP_HINT),
        Pattern("api-key", checks.API_KEY_HINT, rewrite=checks.without_api_keys, trace=checks.API_KEY_BEGIN),
        Pattern("authorization", checks.AUTHORIZATION, rewrite=checks.without_credentials, trace="(?i:bearer|basic)"),
        Pattern("jwt", r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4}", trace="eyJ"),
        Pattern("private-key", _PEM, trace="-----BEGIN"),
        Pattern("url-password", _USERINFO, replacement=rf"\1{REDACTED}@", trace="@"),
    )
}
