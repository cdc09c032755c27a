-- Calls that count, and those that failed and cost nothing: each failure once, whoever told of it and however often.
WITH failures AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY source, trace_id, span_id, start_unix_nano, attempt, error_type, model
            ORDER BY journal_id, journal_position, journal_item
        ) AS telling
    FROM /*calls*/ calls /*.*/
    WHERE not_billable_because = 'failed'
),
related AS (
    -- All that is told in the traces of failures; one look at the ids of all calls is enough.
    SELECT source, trace_id, span_id, parent_span_id, status, billable
    FROM /*calls*/ calls /*.*/
    WHERE trace_id IN (SELECT trace_id FROM /*calls*/ calls /*.*/ WHERE not_billable_because = 'failed')
),
elsewhere AS (
    -- A span with another call's span right below it, or a failed event in it, repeats what these tell; and an event what
    -- its span tells that broke off and is charged for.
    SELECT DISTINCT failures.source, failures.trace_id, failures.span_id
    FROM failures
    INNER JOIN (
        SELECT 'span' AS source, trace_id, parent_span_id AS span_id FROM related WHERE source = 'span'
        UNION ALL
        SELECT 'span' AS source, trace_id, span_id FROM related WHERE source = 'log' AND status = 'error'
        UNION ALL
        SELECT 'log' AS source, trace_id, span_id FROM related WHERE source = 'span' AND status = 'error' AND billable
        UNION ALL
        -- Claude Code writes its event in the span around the one that failed.
        SELECT 'log' AS source, trace_id, parent_span_id AS span_id
        FROM /*calls*/ calls /*.*/
        WHERE source = 'span' AND not_billable_because = 'failed' AND dialect = 'claude_code'
    ) AS others
        ON failures.source = others.source AND failures.trace_id = others.trace_id AND failures.span_id = others.span_id
)
SELECT *, 1 AS telling FROM /*calls*/ calls /*.*/ WHERE billable
UNION ALL
SELECT failures.*
FROM failures
LEFT JOIN elsewhere
    ON failures.source = elsewhere.source
    AND failures.trace_id = elsewhere.trace_id
    AND failures.span_id = elsewhere.span_id
WHERE failures.telling = 1 AND elsewhere.source IS NULL
