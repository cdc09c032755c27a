-- Traces that have calls: when, how long, what it began with, and what the calls in it cost.
--
-- All but what they are chosen by is looked up only for those that are shown, if they can be chosen by their calls.
WITH chosen AS (
    SELECT trace_id
    FROM (
        SELECT
            trace_id,
            min(start_time) AS start_time,
            count(CASE WHEN billable THEN 1 END) AS calls,
            sum(CASE WHEN billable THEN input_tokens END) AS input_tokens,
            sum(CASE WHEN billable THEN output_tokens END) AS output_tokens,
            count(CASE WHEN billable THEN cost_usd END) AS priced_calls,
            sum(CASE WHEN billable THEN cost_usd END) AS cost_usd
        FROM calls
        WHERE trace_id IS NOT NULL
        GROUP BY trace_id
    ) AS traces
    /*most*/ /*.*/
),
views AS (
    SELECT
        calls.trace_id AS trace_id,
        calls.journal_id AS journal_id,
        calls.journal_position AS journal_position,
        calls.journal_item AS journal_item,
        calls.source AS source,
        calls.dialect AS dialect,
        calls.span_id AS span_id,
        calls.parent_span_id AS parent_span_id,
        calls.start_time AS start_time,
        calls.start_unix_nano AS start_unix_nano,
        calls.duration_ms AS duration_ms,
        calls.attempt AS attempt,
        calls.model AS model,
        calls.service_name AS service_name,
        calls.status AS status,
        calls.error_type AS error_type,
        calls.billable AS billable,
        calls.not_billable_because AS not_billable_because,
        calls.input_tokens AS input_tokens,
        calls.output_tokens AS output_tokens,
        calls.cost_usd AS cost_usd
    FROM calls
    INNER JOIN chosen ON calls.trace_id = chosen.trace_id
),
told AS (
    SELECT
        trace_id,
        min(start_time) AS start_time,
        count(CASE WHEN billable THEN 1 END) AS calls,
        sum(CASE WHEN billable THEN input_tokens END) AS input_tokens,
        sum(CASE WHEN billable THEN output_tokens END) AS output_tokens,
        count(CASE WHEN billable THEN cost_usd END) AS priced_calls,
        sum(CASE WHEN billable THEN cost_usd END) AS cost_usd,
        min(start_unix_nano) AS start_unix_nano,
        max(
            start_unix_nano
            + CASE WHEN duration_ms >= 0 AND duration_ms < 1e10 THEN CAST(duration_ms * 1e6 AS BIGINT) ELSE 0 END
        ) AS end_unix_nano,
        array_agg(DISTINCT model) AS models,
        array_agg(DISTINCT service_name) AS services
    FROM views
    GROUP BY trace_id
),
failed AS (
    SELECT trace_id, count(*) AS errors
    FROM (/*attempts*/ SELECT * FROM views WHERE billable OR not_billable_because = 'failed' /*.*/) AS attempts
    WHERE status = 'error'
    GROUP BY trace_id
),
around AS (
    -- A span that is sent again is the same span.
    SELECT
        spans.trace_id,
        count(DISTINCT spans.span_id) AS spans,
        min(spans.start_unix_nano) AS start_unix_nano,
        max(coalesce(spans.end_unix_nano, spans.start_unix_nano)) AS end_unix_nano,
        arg_min(spans.name, CASE WHEN spans.parent_span_id IS NULL THEN spans.start_unix_nano END) AS root,
        arg_min(spans.name, spans.start_unix_nano) AS earliest,
        array_agg(DISTINCT spans.service_name) AS services
    FROM spans
    INNER JOIN chosen ON spans.trace_id = chosen.trace_id
    GROUP BY spans.trace_id
)
SELECT
    told.trace_id AS trace_id,
    told.start_time AS start_time,
    CAST(
        greatest(told.end_unix_nano, coalesce(around.end_unix_nano, told.end_unix_nano))
        - least(told.start_unix_nano, coalesce(around.start_unix_nano, told.start_unix_nano)) AS DOUBLE
    ) / 1e6 AS duration_ms,
    coalesce(around.root, around.earliest) AS name,
    told.services AS services,
    around.services AS more_services,
    told.models AS models,
    coalesce(around.spans, 0) AS spans,
    told.calls AS calls,
    coalesce(failed.errors, 0) AS errors,
    told.input_tokens AS input_tokens,
    told.output_tokens AS output_tokens,
    told.priced_calls AS priced_calls,
    told.cost_usd AS cost_usd
FROM told
LEFT JOIN failed ON told.trace_id = failed.trace_id
LEFT JOIN around ON told.trace_id = around.trace_id
