-- What went wrong, how often, and what failed and repeated calls cost: each failure once, whoever told of it.
--
-- A share is one of all attempts that are alike but for how they went: by model and error, of all attempts at the model.
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
    /*by*/ model, error_type /*.*/,
    coalesce(sum(failed), 0) AS errors,
    greatest(coalesce(sum(tried), 0), coalesce(max(tried_alike), 0)) AS of_attempts,
    CAST(sum(failed) AS DOUBLE) / nullif(greatest(sum(tried), max(tried_alike)), 0) AS error_share,
    arg_max(CASE WHEN failed > 0 THEN what END, (failed, what)) AS most_frequent_error,
    coalesce(sum(failed_unbilled), 0) AS unbilled_errors,
    sum(failed_usd) AS error_cost_usd,
    coalesce(sum(tried_again), 0) AS retries,
    sum(tried_again_usd) AS retry_cost_usd,
    max(last_failed) AS last_error_time
FROM (
    SELECT
        /*dimensions*/ model, error_type /*.*/,
        error_type AS what,
        count(*) AS tried,
        sum(count(*)) OVER (PARTITION BY /*whole*/ model /*.*/) AS tried_alike,
        count(CASE WHEN status = 'error' THEN 1 END) AS failed,
        count(CASE WHEN status = 'error' AND NOT billable THEN 1 END) AS failed_unbilled,
        sum(CASE WHEN status = 'error' THEN cost_usd END) AS failed_usd,
        count(CASE WHEN attempt > 0 THEN 1 END) AS tried_again,
        sum(CASE WHEN attempt > 0 THEN cost_usd END) AS tried_again_usd,
        max(CASE WHEN status = 'error' THEN start_time END) AS last_failed
    FROM attempts
    GROUP BY /*dimensions*/ model, error_type /*.*/, error_type
) AS counted
GROUP BY /*group*/ model, error_type /*.*/
-- What went well is left out, unless it is all there is to say.
HAVING sum(failed) > 0 OR sum(tried_again) > 0 OR coalesce(sum(tried), 0) >= coalesce(max(tried_alike), 0)
