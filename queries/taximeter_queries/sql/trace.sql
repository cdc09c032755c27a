-- One trace: its spans, with the call that each is, and the calls in it that only a log record told of.
SELECT
    spans.journal_id AS journal_id,
    spans.journal_position AS journal_position,
    spans.journal_item AS journal_item,
    spans.trace_id AS trace_id,
    spans.span_id AS span_id,
    spans.parent_span_id AS parent_span_id,
    spans.name AS name,
    spans.kind AS kind,
    spans.service_name AS service_name,
    spans.operation AS operation,
    spans.tool_name AS tool_name,
    spans.start_time AS start_time,
    spans.start_unix_nano AS start_unix_nano,
    spans.end_unix_nano AS end_unix_nano,
    spans.duration_ms AS duration_ms,
    spans.status AS status,
    spans.status_message AS status_message,
    counted.error_type AS error_type,
    counted.model AS model,
    counted.ttft_ms AS ttft_ms,
    counted.input_tokens AS input_tokens,
    counted.output_tokens AS output_tokens,
    counted.cost_usd AS cost_usd,
    counted.cost_status AS cost_status,
    counted.billable AS billable,
    counted.not_billable_because AS not_billable_because
FROM (SELECT * FROM spans WHERE trace_id = /*trace_id*/ '00000000000000000000000000000000' /*.*/) AS spans
LEFT JOIN (SELECT * FROM calls WHERE trace_id = /*trace_id*/ '00000000000000000000000000000000' /*.*/) AS counted
    ON spans.journal_id = counted.journal_id
    AND spans.journal_position = counted.journal_position
    AND spans.journal_item = counted.journal_item
UNION ALL
SELECT
    calls.journal_id AS journal_id,
    calls.journal_position AS journal_position,
    calls.journal_item AS journal_item,
    calls.trace_id AS trace_id,
    -- A log record's span is the one around it.
    CASE WHEN calls.source = 'span' THEN calls.span_id END AS span_id,
    CASE WHEN calls.source = 'span' THEN calls.parent_span_id ELSE calls.span_id END AS parent_span_id,
    concat(coalesce(calls.operation, 'call'), ' ', coalesce(calls.model, '')) AS name,
    calls.source AS kind,
    calls.service_name AS service_name,
    calls.operation AS operation,
    CAST(NULL AS VARCHAR) AS tool_name,
    calls.start_time AS start_time,
    calls.start_unix_nano AS start_unix_nano,
    CAST(NULL AS BIGINT) AS end_unix_nano,
    calls.duration_ms AS duration_ms,
    calls.status AS status,
    CAST(NULL AS VARCHAR) AS status_message,
    calls.error_type AS error_type,
    calls.model AS model,
    calls.ttft_ms AS ttft_ms,
    calls.input_tokens AS input_tokens,
    calls.output_tokens AS output_tokens,
    calls.cost_usd AS cost_usd,
    calls.cost_status AS cost_status,
    calls.billable AS billable,
    calls.not_billable_because AS not_billable_because
FROM (SELECT * FROM calls WHERE trace_id = /*trace_id*/ '00000000000000000000000000000000' /*.*/) AS calls
LEFT JOIN (
    SELECT journal_id, journal_position, journal_item
    FROM spans
    WHERE trace_id = /*trace_id*/ '00000000000000000000000000000000' /*.*/
) AS known
    ON calls.journal_id = known.journal_id
    AND calls.journal_position = known.journal_position
    AND calls.journal_item = known.journal_item
WHERE known.journal_id IS NULL
