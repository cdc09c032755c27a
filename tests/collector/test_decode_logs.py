"""Log records in columns say what they say in protobuf."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue
from taximeter_collector.decode import Logs, decode_logs
from taximeter_collector.journal import Signal

from tests.collector.decoding import (
    any_shape,
    assert_attributes,
    assert_origin,
    assert_same,
    assert_sources,
    hexadecimal,
    records,
    requests,
    sent,
    sent_as_json,
    shown,
    stated,
    told,
)

randoms = st.randoms(use_true_random=True)


def walked(request: Any) -> Iterator[tuple[Any, Any, Any]]:
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for log in scope.log_records:
                yield resource, scope, log


@any_shape
@given(randoms)
def test_log_records_of_any_shape_are_in_the_columns_as_they_were_sent(random: Random) -> None:
    messages = requests(random, ExportLogsServiceRequest)
    batch = sent(Signal.LOGS, messages)
    rows = [row for message in messages for row in walked(message)]
    logs = decode_logs(batch)
    told(logs)
    assert len(logs) == len(rows)
    assert_origin(logs.origin, batch, [len(list(walked(message))) for message in messages])
    assert_sources(logs.sources, [(resource, scope) for resource, scope, _ in rows])
    assert_logs(logs, [log for _, _, log in rows])


def assert_logs(logs: Logs, sent: Sequence[Any]) -> None:
    assert_attributes(logs.attributes, [log.attributes for log in sent])
    assert_same(logs.trace_id, [hexadecimal(log.trace_id, 16) for log in sent])
    assert_same(logs.span_id, [hexadecimal(log.span_id, 8) for log in sent])
    assert_same(logs.time_unix_nano, [log.time_unix_nano for log in sent])
    assert_same(logs.observed_unix_nano, [log.observed_time_unix_nano for log in sent])
    assert_same(logs.event_name, [log.event_name or None for log in sent])
    assert_same(logs.severity_number, [log.severity_number for log in sent])
    assert_same(logs.severity_text, [log.severity_text or None for log in sent])
    assert_same(logs.flags, [log.flags for log in sent])
    assert_same(logs.dropped_attributes, [log.dropped_attributes_count for log in sent])
    bodies = logs.body.to_pylist()
    expected = [stated(log.body) for log in sent]
    assert [body is None for body in bodies] == [body == "" for body in expected]
    assert [shown(body or "", log.body) for body, log in zip(bodies, sent, strict=True)] == expected


@any_shape
@given(randoms)
def test_log_records_that_came_as_json_are_the_same(random: Random) -> None:
    messages = requests(random, ExportLogsServiceRequest)
    as_json = decode_logs(sent_as_json(Signal.LOGS, messages))
    assert told(as_json) == told(decode_logs(sent(Signal.LOGS, messages)))


@pytest.mark.parametrize("payloads", [[], [b""], [b"", b""]])
def test_requests_without_log_records_have_no_rows(payloads: list[bytes]) -> None:
    logs = decode_logs(records(Signal.LOGS, payloads))
    told(logs)
    assert len(logs) == 0


def test_what_is_no_request_is_refused_whatever_stands_beside_it() -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_logs(records(Signal.LOGS, [b"", b"\x0a\xff\x01broken"]))


def test_a_body_that_is_no_text_is_json_and_one_that_is_missing_is_none() -> None:
    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add().scope_logs.add().log_records
    logs.add()
    logs.add().body.SetInParent()
    logs.add().body.string_value = ""
    logs.add().body.string_value = "text"
    logs.add().body.int_value = 3
    logs.add().body.array_value.CopyFrom(ArrayValue(values=[AnyValue(string_value="ä"), AnyValue(bool_value=True)]))
    bodies = decode_logs(sent(Signal.LOGS, [request])).body.to_pylist()
    assert bodies == [None, None, None, "text", "3", '["ä", true]']
