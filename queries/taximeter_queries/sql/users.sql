-- Who calls models: how much, for how much, and with what luck.
-- `failures` is what sql/failures.sql tells: each failure once, whoever told of it.
WITH failed AS (
    SELECT /*dimensions*/ user_id /*.*/, conversation_id AS conversation, start_time AS began FROM failures
),
used AS (
    SELECT
        /*by*/ user_id /*.*/,
        count(*) AS attempts,
        count(counts) AS calls,
        count(cost) AS priced_calls,
        sum(input) AS input_tokens,
        sum(output) AS output_tokens,
        sum(cost) AS cost_usd,
        count(erred) AS errors,
        min(began) AS first_time,
        max(began) AS last_time
    FROM (
        SELECT
            /*dimensions*/ user_id /*.*/,
            1 AS counts,
            CASE WHEN status = 'error' THEN 1 END AS erred,
            cost_usd AS cost,
            input_tokens AS input,
            output_tokens AS output,
            start_time AS began
        FROM calls
        WHERE billable
        UNION ALL
        SELECT /*dimensions*/ user_id /*.*/, NULL, 1, NULL, NULL, NULL, began FROM failed
    ) AS tried
    GROUP BY /*group*/ user_id /*.*/
),
-- Apart from the rest, which an engine can add up for the total from what it has for the groups.
seen AS (
    SELECT /*by*/ user_id /*.*/, count(DISTINCT conversation) AS conversations
    FROM (
        SELECT /*dimensions*/ user_id /*.*/, conversation_id AS conversation FROM calls WHERE billable
        UNION ALL
        SELECT /*dimensions*/ user_id /*.*/, conversation FROM failed
    ) AS tried
    GROUP BY /*group*/ user_id /*.*/
)
SELECT
    /*told*/ used.user_id /*.*/,
    used.calls,
    used.priced_calls,
    seen.conversations,
    used.input_tokens,
    used.output_tokens,
    used.cost_usd,
    used.errors,
    CAST(used.errors AS DOUBLE) / nullif(used.attempts, 0) AS error_share,
    used.first_time,
    used.last_time
FROM used
INNER JOIN seen
    ON /*same*/ used.user_id IS NOT DISTINCT FROM seen.user_id /*.*/
