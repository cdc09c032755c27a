"""Prepared items to requests."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from taximeter_collector.forward.treatment.attributes import encode_double, encode_int
from taximeter_collector.forward.treatment.config import TreatmentConfig
from taximeter_collector.forward.treatment.names import NAMES
from taximeter_collector.forward.treatment.outgoing import Outgoing, SetAside
from taximeter_collector.forward.treatment.packing import (
    Fields,
    Fit,
    Placed,
    content_of,
    in_parts,
    item_field,
    one_item,
    whole,
)
from taximeter_collector.forward.treatment.preparing import Prepared
from taximeter_collector.forward.treatment.selecting import PROBABILITY
from taximeter_collector.forward.treatment.truncating import cut, points_in, split_metric
from taximeter_collector.forward.treatment.wire import LENGTHS, Malformed, Request, read_request
from taximeter_collector.journal import Record, Signal

__all__ = ["Writing"]

_ITEM = b"\x12"
_MOST_SHARES = 1024


class Writing:
    """Requests that a backend takes."""

    def __init__(self, config: TreatmentConfig, counts: Counter[str], put_aside: Callable[[SetAside], None]) -> None:
        self._most_bytes = config.max_request_bytes
        self._truncates = config.oversized == "truncate"
        self.counts = counts
        self._put_aside = put_aside
        self._sample = config.sample
        self._rate_key = NAMES[config.names].sample_rate
        self._shares: dict[tuple[Signal, float], bytes] = {}
        self._samples = config.sample < 1 and not config.keep

    def written(self, prepared: Prepared) -> Iterator[Outgoing]:
        """A request for each record of which something is kept; more, where it is too large."""
        batch = prepared.batch
        if self._samples and batch.signal != Signal.METRICS:
            self._tell_shares(prepared)
        changed = defaultdict(list)
        for item, of in zip(batch.contents, _requests_of(prepared, list(batch.contents)), strict=True):
            changed[of].append(item)
        is_whole = bool(prepared.kept.all())
        is_plain = is_whole and batch.signal != Signal.METRICS
        for number, record in enumerate(batch.records):
            items = self._fields(prepared, number, changed.get(number, ()), is_whole=is_whole)
            request = batch.requests[number]
            if not len(request):
                continue
            body = request.payload if items is None and not batch.reshaped[number] else whole(request, items)
            if body is None:
                continue
            if len(body) > self._most_bytes:
                yield from self.in_parts(record, request, items)
            else:
                count = len(request) if is_plain else self._kept(prepared, number)
                yield Outgoing(batch.signal, body, count, record.position, record.position)

    def share(self, signal: Signal, told: float | None, *, is_sampled: bool) -> bytes:
        """With what probability an item was sent: our way, and the backend's. `told` is that of a sampler before us,
        which has taken the same random bits: the smaller one is that of both.
        """
        share = min(1.0 if told is None else told, self._sample if is_sampled else 1.0)
        if not 0 < share < 1:
            return b""
        known = self._shares.get((signal, share))
        if known is None:
            rate = encode_int(signal, self._rate_key, round(1 / share)) if self._rate_key else b""
            known = encode_double(signal, PROBABILITY, share) + rate
            if len(self._shares) < _MOST_SHARES:
                self._shares[signal, share] = known
        return known

    def _tell_shares(self, prepared: Prepared) -> None:
        signal, told = prepared.batch.signal, prepared.told
        before = prepared.appended or [b""] * prepared.batch.size
        share = self.share(signal, None, is_sampled=True)
        has_trace = prepared.has_trace.tolist()
        prepared.appended = [one + share if is_of else one for one, is_of in zip(before, has_trace, strict=True)]
        for row, probability in told.items():
            prepared.appended[row] = before[row] + self.share(signal, probability, is_sampled=has_trace[row])

    def _kept(self, prepared: Prepared, number: int) -> int:
        """How many rows of a request are kept."""
        batch = prepared.batch
        some = slice(int(batch.first[number]), int(batch.first[number + 1]))
        return int(batch.points[some][prepared.kept[some]].sum())

    def _fields(self, prepared: Prepared, number: int, changed: list[int] | tuple[()], *, is_whole: bool) -> Fields:
        """The items of a request as they are written; None if all of them are as they were sent."""
        batch, request = prepared.batch, prepared.batch.requests[number]
        begin, end = int(batch.first[number]), int(batch.first[number + 1])
        appended = None if prepared.appended is None else prepared.appended[begin:end]
        kept = None if is_whole or prepared.kept[begin:end].all() else prepared.kept[begin:end].tolist()
        if not changed and kept is None and (appended is None or not any(appended)):
            return None
        fields = _plain_fields(request) if appended is None else _longer_fields(request, appended)
        for item in changed:
            fields[item - begin] = item_field(batch.contents[item] + (appended[item - begin] if appended else b""))
        if kept is None:
            return fields
        return [one if is_kept else None for one, is_kept in zip(fields, kept, strict=True)]

    def in_parts(self, record: Record, request: Request, items: Fields) -> Iterator[Outgoing]:
        """Several requests with the items."""
        fit = self.fit(record.signal, lambda _: record.position)
        for payload, numbers in in_parts(request, items, self._most_bytes, fit):
            count = len(numbers) if record.signal != Signal.METRICS else _points_in(payload)
            yield Outgoing(record.signal, payload, count, record.position, record.position)

    def fit(self, signal: Signal, position: Callable[[int], int]) -> Fit:
        """What is done about an item that is too large, by the number that tells its position."""

        def fitting(placed: Placed, room: int) -> list[bytes]:
            resource, scope, number, item = placed
            content = content_of(item)
            if signal == Signal.METRICS:
                parts = list(split_metric(content, room)) if room > 0 else [(content, False)]
            else:
                shorter = self._cut(signal, content, room) if self._truncates else None
                self.counts["truncated"] += shorter is not None
                parts = [(content, False)] if shorter is None else [(shorter, True)]
            for part, fits in parts:
                if not fits:
                    payload = one_item(resource, scope, item_field(part))
                    count = points_in(part) if signal == Signal.METRICS else 1
                    self._set_aside(signal, payload, count, position(number))
            return [item_field(part) for part, fits in parts if fits]

        return fitting

    def _cut(self, signal: Signal, content: bytes, room: int) -> bytes | None:
        try:
            return cut(signal, content, room)
        except Malformed:  # nested deeper than is looked
            return None

    def _set_aside(self, signal: Signal, payload: bytes, count: int, position: int) -> None:
        self.counts["set_aside"] += count
        reason = f"larger than a request may be: {len(payload)} bytes of at most {self._most_bytes}"
        self._put_aside(SetAside(signal, payload, count, position, reason, treated=True))


def _plain_fields(request: Request) -> list[bytes]:
    data = request.payload
    return [data[begin:end] for begin, end in zip(request.begins, request.ends, strict=True)]


def _longer_fields(request: Request, appended: list[bytes]) -> list[bytes]:
    """The only Python that runs for each item of most requests."""
    data, lengths, join = request.payload, LENGTHS, b"".join
    return [
        join((_ITEM, lengths[end - content + len(more)], data[content:end], more)) if more else data[begin:end]
        for begin, content, end, more in zip(request.begins, request.contents, request.ends, appended, strict=True)
    ]


def _requests_of(prepared: Prepared, items: list[int]) -> list[int]:
    found: list[int] = (prepared.batch.first.searchsorted(items, side="right") - 1).tolist() if items else []
    return found


def _points_in(payload: bytes) -> int:
    request = read_request(payload)
    return sum(points_in(request.item(number)) for number in range(len(request)))
