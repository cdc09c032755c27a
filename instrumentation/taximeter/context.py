"""Whose call it is: conversation, user and tags, for every span inside a `with`.

>>> import taximeter
>>> with taximeter.conversation("c-42", user="u-7", tags={"feature": "search"}):
...     pass  # every span that starts in here says so
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry import baggage, context
from opentelemetry.context import Context

__all__ = ["CONVERSATION_ID", "Situation", "conversation", "situation"]

CONVERSATION_ID = "gen_ai.conversation.id"
USER_ID = "user.id"
TAG = "taximeter.tag."
_KEY = context.create_key("taximeter-situation")


@dataclass(frozen=True, slots=True)
class Situation:
    """What the code around a call said about it."""

    conversation_id: str | None = None
    user_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def attributes(self) -> Mapping[str, str]:
        if self is _NONE:
            return _NOTHING
        named = {CONVERSATION_ID: self.conversation_id, USER_ID: self.user_id}
        return {
            **{name: value for name, value in named.items() if value},
            **{f"{TAG}{name}": value for name, value in self.tags.items()},
        }


_NONE = Situation()
_NOTHING: Mapping[str, str] = {}


def situation(within: Context | None = None, *, from_baggage: bool = False) -> Situation:
    """What is known in a context; from baggage too, where the user trusts what other processes say."""
    found = context.get_value(_KEY, within)
    if isinstance(found, Situation):
        return found
    return _from_baggage(within) if from_baggage else _NONE


def _from_baggage(within: Context | None) -> Situation:
    carried = {name: str(value) for name, value in baggage.get_all(within).items()}
    if not carried:
        return _NONE
    tags = {name.removeprefix(TAG): value for name, value in carried.items() if name.startswith(TAG)}
    return Situation(carried.get(CONVERSATION_ID), carried.get(USER_ID), tags)


@contextmanager
def conversation(
    conversation_id: str | None = None,
    *,
    user: str | None = None,
    tags: Mapping[str, object] | None = None,
    in_baggage: bool | None = None,
) -> Iterator[None]:
    """Put every span inside into a conversation, give it a user and tags.

    What an inner `conversation` leaves out, the outer one says. `in_baggage` (default: the setting `TAXIMETER_BAGGAGE`)
    sends it along to the other services that are called inside; anyone who is called there can read it.
    """
    from taximeter.instrumentor import current_metering

    outer = situation()
    inner = Situation(
        conversation_id or outer.conversation_id,
        user or outer.user_id,
        {**outer.tags, **{name: str(value) for name, value in (tags or {}).items()}},
    )
    within = context.set_value(_KEY, inner)
    if in_baggage is None:
        metering = current_metering()
        in_baggage = metering is not None and metering.settings.baggage
    if in_baggage:
        for name, value in inner.attributes().items():
            within = baggage.set_baggage(name, value, within)
    token = context.attach(within)
    try:
        yield
    finally:
        context.detach(token)
