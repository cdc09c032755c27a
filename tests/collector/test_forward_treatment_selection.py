"""Which items go to a destination, and what becomes of those that do not: each is counted, by its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from taximeter_collector.forward.treatment import Outgoing, TreatmentConfig, TreatmentError
from taximeter_collector.forward.treatment.config import read_rule
from taximeter_collector.forward.treatment.selecting import PROBABILITY
from taximeter_collector.journal import Signal

from tests.collector.landing import record
from tests.collector.test_forward_treatment_enrich import attributes_of, items_of, span, spans, treatment

LOG = {"timeUnixNano": "1795240000000000000", "severityNumber": 9}


def log(trace: str = "", **more: Any) -> dict[str, Any]:
    return {**LOG, **({"traceId": trace} if trace else {}), **more}


def logs(*several: dict[str, Any], service: str = "app") -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": list(several)}]}]}


def in_trace(trace: str, span_id: int, **more: Any) -> dict[str, Any]:
    return span(span_id) | {"traceId": trace} | more


def trace(number: int) -> str:
    """Trace ids whose last seven bytes are spread evenly over all that these can be."""
    return f"{number + 1:016x}00{(number * 0x9E3779B97F4A7C) % (1 << 56):014x}"


def names_of(sent: Iterable[Outgoing]) -> list[str]:
    return [item.name for item in items_of(sent)[Signal.TRACES]]


def test_only_the_signals_that_are_asked_for() -> None:
    own = treatment(enrich=False, signals=("logs",))
    sent = own.take([record("traces", spans(span(1)), 1), record("logs", logs(log()), 2)], 0.0)
    assert [one.signal for one in sent] == [Signal.LOGS]
    assert "dropped_signal" in own.counts


def test_only_services_that_are_named() -> None:
    """A request has several; what is kept of it is as it was."""
    payload = b"".join(
        record("traces", spans(span(at) | {"name": name}, service=name)).payload
        for at, name in enumerate(("shop-a", "bank", "shop-b"))
    )
    own = treatment(enrich=False, services=("shop-*", "till"))
    [sent] = own.take([record("traces", payload, 3)], 0.0)
    wanted = ExportTraceServiceRequest.FromString(payload)
    del wanted.resource_spans[1]
    assert sent.payload == wanted.SerializeToString()
    assert (sent.items, own.counts["dropped_service"], own.counts["sent"]) == (2, 1, 2)


def test_only_what_has_an_attribute_of_its_own_or_of_its_resource() -> None:
    own = treatment(enrich=False, attributes=("tenant=ac*", "service.name=bank"))
    several = [span(1, tenant="acme"), span(2, tenant="other"), span(3)]
    named = [one | {"name": name} for one, name in zip(several, "abc", strict=True)]
    sent = own.take(
        [record("traces", spans(*named)), record("traces", spans(span(4) | {"name": "d"}, service="bank"))], 0.0
    )
    assert names_of(sent) == ["a", "d"]
    assert own.counts["dropped_attribute"] == 2


def test_only_what_is_about_genai() -> None:
    plain = span(1) | {"attributes": [], "name": "GET /"}
    own = treatment(enrich=False, genai_only=True)
    event = log(eventName="gen_ai.client.inference.operation.details")
    sent = own.take([record("traces", spans(plain, span(2))), record("logs", logs(log(), event))], 0.0)
    found = items_of(sent)
    assert ([one.name for one in found[Signal.TRACES]], len(found[Signal.LOGS])) == (["chat"], 1)
    assert own.counts["dropped_not_genai"] == 2


def test_of_metrics_those_are_kept_that_have_a_point_that_is_meant() -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    for name, tenants in (("a", ["x", "y"]), ("b", ["y"]), ("c", [])):
        metric = metrics.add(name=name)
        metric.gauge.SetInParent()
        for tenant in tenants:
            metric.gauge.data_points.add(as_int=1).attributes.add(key="tenant").value.string_value = tenant
    own = treatment(enrich=False, attributes=("tenant=x",))
    [sent] = own.take([record("metrics", request.SerializeToString())], 0.0)
    found = ExportMetricsServiceRequest.FromString(sent.payload).resource_metrics[0].scope_metrics[0].metrics
    assert ([one.name for one in found], sent.items, own.counts["dropped_attribute"]) == (["a"], 2, 1)


def test_a_share_of_all_traces_is_whole_traces_and_the_same_ones_in_every_sampler() -> None:
    """Those whose low 56 bits are not below (1 - share) * 2^56. Logs go with their trace; what has none goes."""
    own, other = treatment(enrich=False, sample=0.25), treatment(enrich=False, sample=0.5)
    records = [
        record("traces", spans(*(in_trace(trace(at), at * 2 + one + 1) for at in range(400) for one in range(2))), 1),
        record("logs", logs(*(log(trace(at)) for at in range(400)), log()), 2),
    ]
    found, more = items_of(own.take(records, 0.0)), items_of(other.take(records, 0.0))
    kept = {item.trace_id.hex() for item in found[Signal.TRACES]}
    assert kept == {trace(at) for at in range(400) if int(trace(at)[-14:], 16) >= 3 << 54}
    assert 80 <= len(kept) <= 120
    assert len(found[Signal.TRACES]) == 2 * len(kept)
    assert {item.trace_id.hex() for item in found[Signal.LOGS]} == kept | {""}
    assert kept < {item.trace_id.hex() for item in more[Signal.TRACES]}
    assert own.counts["dropped_sampled"] == 1201 - 3 * len(kept) - 1
    assert {attributes_of(item).get(PROBABILITY) for item in found[Signal.TRACES]} == {0.25}
    assert {attributes_of(item).get(PROBABILITY) for item in found[Signal.LOGS] if not item.trace_id} == {None}


def test_two_samplers_in_a_row_tell_what_both_do_together() -> None:
    """They keep the same traces, so the smaller share is that of both; and it is told once."""
    several = record("traces", spans(*(in_trace(trace(at), at + 1) for at in range(200))))
    for first, second in ((0.25, 0.5), (0.5, 0.25)):
        [sent] = treatment(enrich=False, sample=first).take([several], 0.0)
        for more in ({}, {"keep": ("errors",)}):
            own = treatment(enrich=False, sample=second, **more)
            again = own.take([record("traces", sent.payload)], 0.0) + own.close()
            found = items_of(again)[Signal.TRACES]
            assert {item.trace_id.hex() for item in found} == {
                trace(at) for at in range(200) if int(trace(at)[-14:], 16) >= 3 << 54
            }
            assert all([pair.key for pair in item.attributes].count(PROBABILITY) == 1 for item in found)
            assert {attributes_of(item)[PROBABILITY] for item in found} == {0.25}


def test_honeycomb_is_told_for_how_many_an_item_stands() -> None:
    own = treatment(enrich=False, sample=0.1, names="honeycomb")
    several = [in_trace(trace(at), at + 1) for at in range(100)]
    found = items_of(own.take([record("traces", spans(*several))], 0.0))[Signal.TRACES]
    assert found
    assert {attributes_of(item)["SampleRate"] for item in found} == {10}


def test_randomness_that_a_trace_state_tells_goes_before_that_of_the_trace_id() -> None:
    none, all_ = "0" * 32, "0" * 18 + "f" * 14
    several = [
        in_trace("1" + none[1:], 1, name="a"),
        in_trace("1" + none[1:], 2, name="b", traceState="x=1,ot=th:8;rv:ffffffffffffff"),
        in_trace("1" + all_[1:], 3, name="c", traceState="ot=rv:00000000000000"),
        in_trace("1" + all_[1:], 4, name="d", traceState="ot=th:0"),
    ]
    assert names_of(treatment(enrich=False, sample=0.5).take([record("traces", spans(*several))], 0.0)) == ["b", "d"]


# Whole traces


def times(began_s: float, ended_s: float) -> dict[str, Any]:
    start = 1_795_240_000 * 10**9
    return {"startTimeUnixNano": str(start + int(began_s * 1e9)), "endTimeUnixNano": str(start + int(ended_s * 1e9))}


def keeping(*rules: str, **more: Any) -> Any:
    return treatment(**{"sample": 0.0, "keep": rules, "keep_window_s": 10.0, **more})


def test_a_trace_with_an_error_goes_as_soon_as_that_is_known_and_all_that_comes_later_with_it() -> None:
    own = keeping("errors")
    first = own.take(
        [record("traces", spans(in_trace(trace(1), 1, name="a"), in_trace(trace(2), 2, name="x")), 10)], 0.0
    )
    assert (first, own.held_from, own.held) == ([], 10, 2)
    failed = in_trace(trace(1), 3, name="b", status={"code": 2})
    second = own.take([record("traces", spans(failed), 11), record("logs", logs(log(trace(1))), 12)], 1.0)
    assert (names_of(second), len(items_of(second)[Signal.LOGS])) == (["a", "b"], 1)
    assert (min(one.first for one in second), max(one.last for one in second)) == (10, 12)
    assert own.held_from == 10
    assert own.due(10.0) == []
    assert (own.held_from, own.held, own.held_bytes) == (None, 0, 0)
    assert own.take([record("traces", spans(in_trace(trace(2), 5)), 13)], 11.0) == []
    assert names_of(own.take([record("traces", spans(in_trace(trace(1), 6, name="c")), 14)], 11.0)) == ["c"]
    assert (own.counts["dropped_sampled"], own.counts["late"], own.counts["sent"]) == (2, 3, 4)


def test_a_trace_that_is_slow_from_its_first_span_to_its_last_is_kept() -> None:
    own = keeping("slower:5s")
    own.take([record("traces", spans(in_trace(trace(1), 1, name="a", **times(0, 1))), 1)], 0.0)
    own.take([record("traces", spans(in_trace(trace(2), 2, name="x", **times(0, 4))), 2)], 0.0)
    sent = own.take([record("traces", spans(in_trace(trace(1), 3, name="b", **times(5, 5.5))), 3)], 0.0)
    assert names_of(sent) == ["a", "b"]
    assert own.close() == []


def test_a_trace_is_dear_by_what_is_billed_of_it() -> None:
    """An agent's span repeats what its calls cost; that is not counted once more."""
    tokens = {"gen_ai.usage.input_tokens": 400_000, "gen_ai.usage.output_tokens": 0}  # $0.06
    twice = [in_trace(trace(1), 1, **_of(span(1, **tokens))), in_trace(trace(1), 2, **_of(span(2, parent=1, **tokens)))]
    apart = [in_trace(trace(2), 3, **_of(span(3, **tokens))), in_trace(trace(2), 4, **_of(span(4, **tokens)))]
    own = keeping("dearer:0.10")
    sent = own.take([record("traces", spans(*twice, *apart), 1)], 0.0)
    assert {item.trace_id.hex() for item in items_of(sent)[Signal.TRACES]} == {trace(2)}
    assert own.close() == []


def _of(one: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key in ("attributes", "parentSpanId")}


def test_what_no_rule_keeps_is_sampled_when_its_time_is_over_and_says_so() -> None:
    own = keeping("errors", sample=0.5)
    several = [in_trace(trace(at), at + 1, **({"status": {"code": 2}} if at % 4 == 0 else {})) for at in range(100)]
    sent = own.take([record("traces", spans(*several), 1)], 0.0)
    assert [attributes_of(item).get(PROBABILITY) for item in items_of(sent)[Signal.TRACES]] == [None] * 25
    assert own.due(9.9) == []
    later = items_of(own.due(10.0))[Signal.TRACES]
    wanted = {trace(at) for at in range(100) if at % 4 and int(trace(at)[-14:], 16) >= 1 << 55}
    assert {item.trace_id.hex() for item in later} == wanted
    assert {attributes_of(item)[PROBABILITY] for item in later} == {0.5}


def test_when_memory_is_full_the_oldest_traces_are_judged_early() -> None:
    own = keeping("errors", sample=1 / 2, keep_memory=1 << 20)
    random, position = Random(7), 0
    for position in range(200):
        several = [in_trace(random.randbytes(16).hex(), one + 1) for one in range(20)]
        own.take([record("traces", spans(*several), position)], 0.0)
        assert own.held_bytes <= 1 << 20
    assert own.counts["evicted"] > 2000
    assert own.held_from is not None and own.held_from > 100
    own.close()
    assert own.counts["sent"] + own.counts["dropped_sampled"] == 4000
    assert 1800 < own.counts["sent"] < 2200


def test_what_is_of_no_trace_does_not_wait() -> None:
    own = keeping("errors")
    metric = ExportMetricsServiceRequest()
    metric.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points.add(as_int=1)
    points = replace(record("metrics", metric.SerializeToString(), 2), items=1)
    taken = [record("logs", logs(log(), log(trace(1))), 1), points]
    sent = own.take(taken, 0.0)
    assert [(one.signal, one.items) for one in sent] == [(Signal.LOGS, 1), (Signal.METRICS, 1)]
    assert own.held == 1
    logs_sent = ExportLogsServiceRequest.FromString(sent[0].payload)
    assert len(logs_sent.resource_logs[0].scope_logs[0].log_records) == 1


def test_held_traces_are_cut_to_requests_that_the_backend_takes() -> None:
    own = keeping("errors", max_request_bytes=4096)
    several = [in_trace(trace(1), at + 1) for at in range(100)]
    several[-1] |= {"status": {"code": 2}}
    sent = own.take([record("traces", spans(*several, service=name), at) for at, name in enumerate("ab")], 0.0)
    assert all(len(one.payload) <= 4096 for one in sent)
    assert sum(one.items for one in sent) == own.counts["sent"] == 200


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"keep": ("errors",)}, "set `sample` to less"),
        ({"keep": ("dearer:1",), "sample": 0.1, "enrich": False}, "without `enrich`"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(TreatmentError, match=said):
        treatment(**settings)


@pytest.mark.parametrize("written", ["error", "slower", "slower:5", "dearer:$1", "dearer:-1", ""])
def test_a_rule_that_cannot_be_meant_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        read_rule(written)


def test_settings_come_as_they_are_declared() -> None:
    assert TreatmentConfig().signals == ("traces", "metrics", "logs")
    assert TreatmentConfig().max_request_bytes == 4 << 20
