-- Conversations: how many calls each had, when, with whom, and what it cost.
--
-- Who and what was in it is looked up only for those that are shown.
WITH chosen AS (
    SELECT
        conversation_id,
        min(start_time) AS start_time,
        max(start_time) AS last_time,
        count(CASE WHEN billable THEN 1 END) AS turns,
        sum(CASE WHEN billable THEN input_tokens END) AS input_tokens,
        sum(CASE WHEN billable THEN output_tokens END) AS output_tokens,
        count(CASE WHEN billable THEN cost_usd END) AS priced_calls,
        sum(CASE WHEN billable THEN cost_usd END) AS cost_usd
    FROM calls
    WHERE conversation_id IS NOT NULL
    GROUP BY conversation_id
    /*most*/ /*.*/
),
views AS (
    SELECT
        calls.conversation_id AS conversation_id,
        calls.journal_id AS journal_id,
        calls.journal_position AS journal_position,
        calls.journal_item AS journal_item,
        calls.source AS source,
        calls.dialect AS dialect,
        calls.trace_id AS trace_id,
        calls.span_id AS span_id,
        calls.parent_span_id AS parent_span_id,
        calls.start_unix_nano AS start_unix_nano,
        calls.duration_ms AS duration_ms,
        calls.attempt AS attempt,
        calls.model AS model,
        calls.user_id AS user_id,
        calls.service_name AS service_name,
        calls.status AS status,
        calls.error_type AS error_type,
        calls.billable AS billable,
        calls.not_billable_because AS not_billable_because
    FROM calls
    INNER JOIN chosen ON calls.conversation_id = chosen.conversation_id
),
told AS (
    SELECT
        conversation_id,
        min(start_unix_nano) AS start_unix_nano,
        max(
            start_unix_nano
            + CASE WHEN duration_ms >= 0 AND duration_ms < 1e10 THEN CAST(duration_ms * 1e6 AS BIGINT) ELSE 0 END
        ) AS end_unix_nano,
        array_agg(DISTINCT model) AS models,
        array_agg(DISTINCT user_id) AS users,
        array_agg(DISTINCT service_name) AS services
    FROM views
    GROUP BY conversation_id
),
failed AS (
    SELECT conversation_id, count(*) AS errors
    FROM (/*attempts*/ SELECT * FROM views WHERE billable OR not_billable_because = 'failed' /*.*/) AS attempts
    WHERE status = 'error'
    GROUP BY conversation_id
)
SELECT
    chosen.conversation_id AS conversation_id,
    chosen.start_time AS start_time,
    chosen.last_time AS last_time,
    CAST(told.end_unix_nano - told.start_unix_nano AS DOUBLE) / 1e6 AS duration_ms,
    told.users AS users,
    told.services AS services,
    told.models AS models,
    chosen.turns AS turns,
    coalesce(failed.errors, 0) AS errors,
    chosen.input_tokens AS input_tokens,
    chosen.output_tokens AS output_tokens,
    chosen.priced_calls AS priced_calls,
    chosen.cost_usd AS cost_usd
FROM chosen
INNER JOIN told ON chosen.conversation_id = told.conversation_id
LEFT JOIN failed ON chosen.conversation_id = failed.conversation_id
