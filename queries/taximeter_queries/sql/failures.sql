-- Calls that failed and cost nothing: each failure once, whoever told of it and however often.
--
-- What has sides, as in a comparison, has them told apart: then `side` is part of every identity.
--
-- Ids are long, and differ in every row: of calls that did not fail, none are looked at but their parents'.
WITH failed AS (
    SELECT * FROM /*calls*/ calls /*.*/ WHERE not_billable_because = 'failed'
),
tellings AS (
    SELECT
        /*side*/ /*.*/ journal_id,
        journal_position,
        journal_item,
        row_number() OVER (
            PARTITION BY /*side*/ /*.*/ source, trace_id, span_id, start_unix_nano, attempt, error_type, model
            ORDER BY journal_id, journal_position, journal_item
        ) AS telling
    FROM failed
    -- Most began when no other did.
    WHERE start_unix_nano IN (SELECT start_unix_nano FROM failed GROUP BY start_unix_nano HAVING count(*) > 1)
),
repeated AS (
    SELECT /*side*/ /*.*/ journal_id, journal_position, journal_item FROM tellings WHERE telling > 1
    UNION ALL
    -- A span with another call's span right below it repeats what that one tells.
    SELECT /*side*/ /*.*/ failed.journal_id, failed.journal_position, failed.journal_item
    FROM failed
    INNER JOIN (
        -- DISTINCT keeps this whole: an engine looks at traces only where the parent's id is one of these.
        SELECT DISTINCT /*side*/ /*.*/ trace_id, parent_span_id AS span_id
        FROM /*calls*/ calls /*.*/
        WHERE source = 'span' AND parent_span_id IN (SELECT span_id FROM failed WHERE source = 'span')
    ) AS others
        USING (/*side*/ /*.*/ trace_id, span_id)
    WHERE failed.source = 'span'
    UNION ALL
    -- And one with a failed event in it.
    SELECT /*side*/ /*.*/ failed.journal_id, failed.journal_position, failed.journal_item
    FROM failed
    INNER JOIN (
        SELECT /*side*/ /*.*/ trace_id, span_id FROM /*calls*/ calls /*.*/ WHERE source = 'log' AND status = 'error'
    ) AS others
        USING (/*side*/ /*.*/ trace_id, span_id)
    WHERE failed.source = 'span'
    UNION ALL
    -- An event repeats what its span tells that broke off and is charged for.
    SELECT /*side*/ /*.*/ failed.journal_id, failed.journal_position, failed.journal_item
    FROM failed
    INNER JOIN (
        SELECT /*side*/ /*.*/ trace_id, span_id
        FROM /*calls*/ calls /*.*/
        WHERE source = 'span' AND status = 'error' AND billable
    ) AS others
        USING (/*side*/ /*.*/ trace_id, span_id)
    WHERE failed.source = 'log'
    UNION ALL
    -- Claude Code writes its event in the span around the one that failed.
    SELECT /*side*/ /*.*/ failed.journal_id, failed.journal_position, failed.journal_item
    FROM failed
    INNER JOIN (
        SELECT /*side*/ /*.*/ trace_id, parent_span_id AS span_id
        FROM /*calls*/ calls /*.*/
        WHERE source = 'span' AND dialect = 'claude_code' AND not_billable_because = 'failed'
    ) AS others
        USING (/*side*/ /*.*/ trace_id, span_id)
    WHERE failed.source = 'log'
)
SELECT *
FROM failed
WHERE
    (/*side*/ /*.*/ journal_id, journal_position, journal_item) NOT IN (
        SELECT /*side*/ /*.*/ journal_id, journal_position, journal_item FROM repeated
    )
