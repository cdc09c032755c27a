-- Who calls models: how much, for how much, and with what luck. Only the view of each call that counts.
WITH failures AS (
    -- Each once, however often it was sent.
    SELECT
        *,
        row_number() OVER (
            PARTITION BY source, trace_id, span_id, start_unix_nano, attempt, error_type, model
            ORDER BY journal_id, journal_position, journal_item
        ) AS telling
    FROM calls
    WHERE not_billable_because = 'failed'
),
elsewhere AS (
    -- A span with another call's span right below it, or a failed event in it, repeats what these tell; and an event what
    -- its span tells that broke off and is charged for.
    SELECT DISTINCT failures.source, failures.trace_id, failures.span_id
    FROM failures
    INNER JOIN (
        SELECT 'span' AS source, trace_id, parent_span_id AS span_id FROM calls WHERE source = 'span'
        UNION ALL
        SELECT 'span' AS source, trace_id, span_id FROM calls WHERE source = 'log' AND status = 'error'
        UNION ALL
        SELECT 'log' AS source, trace_id, span_id FROM calls WHERE source = 'span' AND status = 'error' AND billable
    ) AS others
        ON failures.source = others.source AND failures.trace_id = others.trace_id AND failures.span_id = others.span_id
),
attempts AS (
    SELECT *, 1 AS telling FROM calls WHERE billable
    UNION ALL
    SELECT failures.*
    FROM failures
    LEFT JOIN elsewhere
        ON failures.source = elsewhere.source
        AND failures.trace_id = elsewhere.trace_id
        AND failures.span_id = elsewhere.span_id
    WHERE failures.telling = 1 AND elsewhere.source IS NULL
)
SELECT
    /*by*/ user_id /*.*/,
    count(CASE WHEN billable THEN 1 END) AS calls,
    count(CASE WHEN billable THEN cost_usd END) AS priced_calls,
    count(DISTINCT conversation_id) AS conversations,
    sum(CASE WHEN billable THEN input_tokens END) AS input_tokens,
    sum(CASE WHEN billable THEN output_tokens END) AS output_tokens,
    sum(CASE WHEN billable THEN cost_usd END) AS cost_usd,
    count(CASE WHEN status = 'error' THEN 1 END) AS errors,
    CAST(count(CASE WHEN status = 'error' THEN 1 END) AS DOUBLE) / nullif(count(*), 0) AS error_share,
    min(start_time) AS first_time,
    max(start_time) AS last_time
FROM attempts
GROUP BY /*group*/ user_id /*.*/
