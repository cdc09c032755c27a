-- Calls that count, and those that failed and cost nothing: each failure once, whoever told of it and however often.
--
-- Ids are long, and differ in every row: of calls that went well, none are looked at but their parents'.
WITH failures AS (
    SELECT
        journal_id,
        journal_position,
        journal_item,
        source,
        trace_id,
        span_id,
        start_unix_nano,
        attempt,
        error_type,
        model
    FROM /*calls*/ calls /*.*/
    WHERE not_billable_because = 'failed'
),
tellings AS (
    SELECT
        journal_id,
        journal_position,
        journal_item,
        row_number() OVER (
            PARTITION BY source, trace_id, span_id, start_unix_nano, attempt, error_type, model
            ORDER BY journal_id, journal_position, journal_item
        ) AS telling
    FROM failures
),
repeated AS (
    SELECT journal_id, journal_position, journal_item FROM tellings WHERE telling > 1
    UNION ALL
    -- A span with another call's span right below it repeats what that one tells.
    SELECT failures.journal_id, failures.journal_position, failures.journal_item
    FROM failures
    INNER JOIN (
        SELECT trace_id, parent_span_id AS span_id
        FROM /*calls*/ calls /*.*/
        WHERE source = 'span' AND parent_span_id IN (SELECT span_id FROM failures WHERE source = 'span')
    ) AS others
        ON failures.trace_id = others.trace_id AND failures.span_id = others.span_id
    WHERE failures.source = 'span'
    UNION ALL
    -- And one with a failed event in it.
    SELECT failures.journal_id, failures.journal_position, failures.journal_item
    FROM failures
    INNER JOIN (
        SELECT trace_id, span_id FROM /*calls*/ calls /*.*/ WHERE source = 'log' AND status = 'error'
    ) AS others
        ON failures.trace_id = others.trace_id AND failures.span_id = others.span_id
    WHERE failures.source = 'span'
    UNION ALL
    -- An event repeats what its span tells that broke off and is charged for.
    SELECT failures.journal_id, failures.journal_position, failures.journal_item
    FROM failures
    INNER JOIN (
        SELECT trace_id, span_id FROM /*calls*/ calls /*.*/ WHERE source = 'span' AND status = 'error' AND billable
    ) AS others
        ON failures.trace_id = others.trace_id AND failures.span_id = others.span_id
    WHERE failures.source = 'log'
    UNION ALL
    -- Claude Code writes its event in the span around the one that failed.
    SELECT failures.journal_id, failures.journal_position, failures.journal_item
    FROM failures
    INNER JOIN (
        SELECT trace_id, parent_span_id AS span_id
        FROM /*calls*/ calls /*.*/
        WHERE source = 'span' AND dialect = 'claude_code' AND not_billable_because = 'failed'
    ) AS others
        ON failures.trace_id = others.trace_id AND failures.span_id = others.span_id
    WHERE failures.source = 'log'
)
SELECT *
FROM /*calls*/ calls /*.*/
WHERE
    billable
    OR (
        not_billable_because = 'failed'
        AND (journal_id, journal_position, journal_item) NOT IN (
            SELECT journal_id, journal_position, journal_item FROM repeated
        )
    )
