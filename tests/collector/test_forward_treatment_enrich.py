"""What a call costs is the same in the ledger and in the backend, and is there once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from taximeter_collector.forward.treatment import Outgoing, Treatment, TreatmentConfig, TreatmentError
from taximeter_collector.forward.treatment.enriching import KEYS
from taximeter_collector.journal import Signal
from taximeter_collector.redact import RedactConfig

from tests.collector.landing import BOOK, land, record
from tests.collector.test_corpus import ENTRIES

ALWAYS = ("cost_usd", "input_cost_usd", "output_cost_usd")


def treatment(**settings: Any) -> Treatment:
    redact = RedactConfig(**settings.pop("redact", {}))
    return Treatment(TreatmentConfig(**settings), redact, lambda: BOOK)


def items_of(sent: Iterable[Outgoing]) -> dict[Signal, list[Any]]:
    """All spans and log records, in order."""
    found: dict[Signal, list[Any]] = {Signal.TRACES: [], Signal.LOGS: []}
    for one in sent:
        if one.signal == Signal.TRACES:
            for of_spans in ExportTraceServiceRequest.FromString(one.payload).resource_spans:
                found[one.signal] += [span for scope in of_spans.scope_spans for span in scope.spans]
        elif one.signal == Signal.LOGS:
            for of_logs in ExportLogsServiceRequest.FromString(one.payload).resource_logs:
                found[one.signal] += [log for scope in of_logs.scope_logs for log in scope.log_records]
    return found


def attributes_of(item: Any) -> dict[str, Any]:
    """Each of which must be there once."""
    keys = [pair.key for pair in item.attributes]
    own = [key for key in keys if key in KEYS]
    assert len(own) == len(set(own))
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in item.attributes}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.parent.name}/{entry.stem}")
def test_a_forwarded_call_says_what_the_ledger_says(entry: Path, tmp_path: Path) -> None:
    """Of each call of the corpus: cost and its parts, tokens, model, why it is not billed. Unknown is not there."""
    told = json.loads(entry.read_text("utf-8"))
    records = [record(one["signal"], one["otlp"], at) for at, one in enumerate(told["requests"])]
    ledger = land(tmp_path, [records]).get("calls", [])
    own = treatment()
    found = items_of(own.take(records, 0.0))
    if own.counts["dropped_duplicate"]:
        pytest.skip("sent twice")
    calls = {
        signal: [c for item in items if "taximeter.billable" in (c := attributes_of(item))]
        for signal, items in found.items()
    }
    for signal, source in ((Signal.TRACES, "span"), (Signal.LOGS, "log")):
        rows = sorted((row for row in ledger if row["source"] == source), key=_place)
        assert [_said(call, row) for call, row in zip(calls[signal], rows, strict=True)] == [
            _ledger(row) for row in rows
        ]


def _place(row: Any) -> Any:
    return row["journal_position"], row["journal_item"]


def _ledger(row: Any) -> dict[str, Any]:
    """What is in a row, for each of our names."""
    found = {}
    for key in KEYS:
        value = row.get(key.removeprefix("taximeter."))
        if value is None or (key.endswith("_usd") and not value and key.removeprefix("taximeter.") not in ALWAYS):
            continue
        found[key] = float(value) if key.endswith("_usd") else value
    return found


def _said(call: dict[str, Any], row: Any) -> dict[str, Any]:
    """What the item says; of the reasons that have no column, nothing."""
    return {key: value for key, value in call.items() if key in KEYS and key.removeprefix("taximeter.") in row}


def span(span_id: int, parent: int = 0, **attributes: Any) -> dict[str, Any]:
    usage = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
    } | {key.replace("__", "."): value for key, value in attributes.items()}
    return {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": f"{span_id:016x}",
        **({"parentSpanId": f"{parent:016x}"} if parent else {}),
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(1_795_240_000 * 10**9 + span_id),
        "endTimeUnixNano": str(1_795_240_001 * 10**9),
        "attributes": [{"key": key, "value": _value(value)} for key, value in usage.items() if value is not None],
    }


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def spans(*several: dict[str, Any], service: str = "app") -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "s"}, "spans": list(several)}]}]}


COST = 1000 * 0.15e-6 + 100 * 0.60e-6


def test_the_names_of_langfuse_carry_the_cost_of_the_view_that_is_billed_and_of_no_other() -> None:
    """An outer span repeats the usage of the inner one. Langfuse would price it by itself if it did not say 0."""
    taken = record("traces", spans(span(1), span(2, parent=1)))
    outer, inner = map(attributes_of, items_of(treatment(names="langfuse").take([taken], 0.0))[Signal.TRACES])
    assert (outer["taximeter.billable"], inner["taximeter.billable"]) == (False, True)
    assert "gen_ai.usage.cost" not in outer
    assert json.loads(outer["langfuse.observation.cost_details"]) == {"total": 0}
    assert inner["gen_ai.usage.cost"] == pytest.approx(COST)
    details = json.loads(inner["langfuse.observation.cost_details"])
    assert details == pytest.approx({"input": 0.00015, "output": 0.00006, "total": COST})


def test_the_names_of_openinference_are_filled_in_where_the_sender_has_not() -> None:
    taken = record("traces", spans(span(1, llm__token_count__prompt=1000)))
    [item] = items_of(treatment(names="phoenix").take([taken], 0.0))[Signal.TRACES]
    found = attributes_of(item)
    assert [found["llm.token_count.prompt"]] == [1000]
    assert [pair.key for pair in item.attributes].count("llm.token_count.prompt") == 1
    assert (found["llm.token_count.completion"], found["llm.token_count.total"]) == (100, 1100)
    assert found["llm.cost.total"] == pytest.approx(found["llm.cost.prompt"] + found["llm.cost.completion"])
    assert (found["llm.model_name"], found["openinference.span.kind"]) == ("gpt-4o-mini", "LLM")


def test_phoenix_is_given_no_second_span_to_price() -> None:
    """It prices what is of the kind LLM, whatever else a span says. Who says its kind by itself is believed."""
    several = [span(1), span(2, parent=1), span(3, openinference__span__kind="LLM"), span(4, parent=3)]
    several.append(span(5, **{"gen_ai.operation.name": "embeddings"}))
    found = items_of(treatment(names="phoenix").take([record("traces", spans(*several))], 0.0))[Signal.TRACES]
    said = [attributes_of(item) for item in found]
    assert [one["taximeter.billable"] for one in said] == [False, True, False, True, True]
    assert [one["openinference.span.kind"] for one in said] == ["CHAIN", "LLM", "LLM", "LLM", "EMBEDDING"]


def test_what_a_sender_says_that_it_costs_gives_way_and_stays_where_nobody_knows_better() -> None:
    known = span(1, gen_ai__usage__cost=5.0)
    unknown = span(
        2, gen_ai__usage__cost=0.25, gen_ai__usage__total_cost=0.25, **{"gen_ai.response.model": "nobody-knows-this"}
    )
    taken = record("traces", spans(known, unknown))
    first, second = map(attributes_of, items_of(treatment(names="openlit").take([taken], 0.0))[Signal.TRACES])
    assert first["gen_ai.usage.cost"] == pytest.approx(COST)
    assert second["gen_ai.usage.cost"] == second["taximeter.cost_usd"] == 0.25
    assert second["taximeter.cost_status"] == "reported"


def test_an_unknown_cost_is_not_there_and_says_why() -> None:
    taken = record("traces", spans(span(1, **{"gen_ai.response.model": "nobody-knows-this"})))
    for names in ("langfuse", "phoenix", "openlit"):
        [found] = map(attributes_of, items_of(treatment(names=names).take([taken], 0.0))[Signal.TRACES])
        assert found["taximeter.cost_status"] == "unpriced_model"
        assert not [
            key for key in found if "cost" in key and key not in ("taximeter.cost_status", "taximeter.cost_reason")
        ]


def test_what_is_sent_again_is_dropped_and_counted() -> None:
    own = treatment()
    request = spans(span(1), span(2, **{"gen_ai.response.id": "chatcmpl-0123456789abcdef"}))
    first = items_of(own.take([record("traces", request, 1)], 0.0))[Signal.TRACES]
    second = own.take([record("traces", request, 2), record("traces", spans(span(3)), 3)], 0.0)
    assert len(first) == 2
    assert [attributes_of(item)["taximeter.billable"] for item in items_of(second)[Signal.TRACES]] == [True]
    assert own.counts["dropped_duplicate"] == 2


def test_a_better_view_that_comes_later_does_not_cost_once_more() -> None:
    """The outer span was sent with its cost; then comes the inner one, which the ledger bills instead."""
    own = treatment(names="openlit")
    [outer] = items_of(own.take([record("traces", spans(span(1)), 1)], 0.0))[Signal.TRACES]
    [inner] = items_of(own.take([record("traces", spans(span(2, parent=1)), 2)], 0.0))[Signal.TRACES]
    assert attributes_of(outer)["gen_ai.usage.cost"] == pytest.approx(COST)
    found = attributes_of(inner)
    assert "gen_ai.usage.cost" not in found
    assert (found["taximeter.billable"], found["taximeter.not_billable_because"]) == (False, "sent_before")
    assert own.counts["superseded"] == 1


def test_what_another_taximeter_wrote_is_written_anew() -> None:
    """Two of them in a row: each attribute is there once."""
    first = treatment(names="langfuse").take([record("traces", spans(span(1)), 1)], 0.0)
    again = treatment(names="langfuse").take([record("traces", first[0].payload, 1)], 0.0)
    [one], [other] = items_of(first)[Signal.TRACES], items_of(again)[Signal.TRACES]
    assert attributes_of(one) == attributes_of(other)
    assert len(one.attributes) == len(other.attributes)


def test_what_is_no_call_is_passed_byte_for_byte_beside_what_is_one() -> None:
    plain = span(5) | {"attributes": []}
    taken = record("traces", spans(plain, span(1)))
    [outgoing] = treatment().take([taken], 0.0)
    before = ExportTraceServiceRequest.FromString(taken.payload).resource_spans[0].scope_spans[0].spans
    after = items_of([outgoing])[Signal.TRACES]
    assert after[0] == before[0]
    assert after[1].attributes[: len(before[1].attributes)] == before[1].attributes
    assert before[0].SerializeToString() in outgoing.payload


def test_what_is_written_has_passed_redaction() -> None:
    """The model's name is one of the texts."""
    own = treatment(names="phoenix", redact={"patterns": ("re:4o-mini",)})
    [item] = items_of(own.take([record("traces", spans(span(1)))], 0.0))[Signal.TRACES]
    assert "4o-mini" not in str(item)


def test_without_a_disk_for_the_bill_calls_are_priced_each_by_itself_and_that_is_counted(tmp_path: Path) -> None:
    """Nothing is lost, and when there is a disk again, all is as before."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    own = Treatment(TreatmentConfig(), RedactConfig(), lambda: BOOK, scratch=scratch)
    shutil.rmtree(scratch)
    scratch.touch()
    for at in range(1, 4):
        [sent] = own.take([record("traces", spans(span(2 * at), span(2 * at + 1, parent=2 * at)), at)], 0.0)
        said = [attributes_of(item) for item in items_of([sent])[Signal.TRACES]]
        assert [one["taximeter.cost_usd"] for one in said] == pytest.approx([COST, COST])
        assert [one["taximeter.billable"] for one in said] == [at > 1, True]
    assert own.counts["unsettled"] == 4
    scratch.unlink()
    scratch.mkdir()
    [sent] = own.take([record("traces", spans(span(8), span(9, parent=8)), 4)], 0.0)
    assert [attributes_of(item)["taximeter.billable"] for item in items_of([sent])[Signal.TRACES]] == [False, True]
    own.close()
    assert not list(scratch.iterdir())


def test_names_that_nobody_knows_are_refused() -> None:
    with pytest.raises(TreatmentError, match="did you mean 'langfuse'"):
        treatment(names="langfus")
