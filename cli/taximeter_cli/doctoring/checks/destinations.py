"""Backends that get what is received: what `taximeter forward ls` knows of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from taximeter_collector.forward.overview import DestinationInfo, overview

from taximeter_cli.doctoring.finding import Finding, counted, error, note, ok, warning
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Destinations"

_LATE_S = 60
_OF_SIGNAL = re.compile(r"/v1/(traces|metrics|logs)$|/opentelemetry\.proto\.[\w./]+$")


def check(subject: Subject) -> Iterator[Finding]:
    """Those of the settings, and those that run."""
    found = overview(subject.config)
    if not found:
        yield ok("nothing is forwarded")
    for one in found:
        yield _finding(one)


def _finding(one: DestinationInfo) -> Finding:
    # What a backend says may quote what it was sent; it is in `taximeter forward ls`.
    facts = {key: value for key, value in asdict(one).items() if key != "last_error"}
    places = dict.fromkeys(_OF_SIGNAL.sub("", place) for place in one.endpoint.split())
    told = f"{one.name}, {' '.join(places) or 'of unknown place'}: {one.state}; {counted(one.sent_items, 'item')} sent"
    told += f", {counted(one.unread_records, 'request')} before it" if one.unread_records else ""
    failed = one.last_error or {}
    at = datetime.fromtimestamp(failed.get("at_unix_nano", 0) / 1e9, UTC)
    last = f"; last error {failed.get('reason', '')} at {at:%Y-%m-%d %H:%M:%S} UTC" if failed else ""
    facts["last_error"] = {"reason": failed.get("reason"), "at": at.isoformat()} if failed else None
    see = "taximeter forward ls tells what it said"
    if one.state == "to put right":
        return error(told + last, f"{see}: it will take nothing until something is put right", **facts)
    if one.state == "waiting":
        return warning(told + last, f"{see}. It is tried again and again, and nothing is lost meanwhile", **facts)
    if one.state in ("stopped", "off", "orphan"):
        return note(told + last, "" if one.state == "stopped" else "the journal keeps all for it meanwhile", **facts)
    if one.unread_records and one.oldest_unread_age_s > _LATE_S:
        return warning(
            f"{told}, the oldest from {one.oldest_unread_age_s:,.0f} s ago{last}",
            "it is slower than what comes in: raise forward.NAME.in_flight, or sample",
            **facts,
        )
    return ok(told, **facts)
