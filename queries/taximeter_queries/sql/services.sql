-- Which services call models: how much, for how much, how fast, and with what luck.
-- `failures` is what sql/failures.sql tells: each failure once, whoever told of it.
WITH failed AS (
    SELECT /*dimensions*/ service_name /*.*/, model AS called, user_id AS person, start_time AS began FROM failures
),
used AS (
    SELECT
        /*by*/ service_name /*.*/,
        count(*) AS attempts,
        count(counts) AS calls,
        count(cost) AS priced_calls,
        sum(input) AS input_tokens,
        sum(output) AS output_tokens,
        sum(cost) AS cost_usd,
        count(erred) AS errors,
        approx_quantile(duration, 0.5) AS p50_duration_ms,
        min(began) AS first_time,
        max(began) AS last_time
    FROM (
        SELECT
            /*dimensions*/ service_name /*.*/,
            1 AS counts,
            CASE WHEN status = 'error' THEN 1 END AS erred,
            CASE WHEN status = 'ok' AND duration_ms >= 0 AND duration_ms < 1e15 THEN duration_ms END AS duration,
            cost_usd AS cost,
            input_tokens AS input,
            output_tokens AS output,
            start_time AS began
        FROM calls
        WHERE billable
        UNION ALL
        SELECT /*dimensions*/ service_name /*.*/, NULL, 1, NULL, NULL, NULL, NULL, began FROM failed
    ) AS tried
    GROUP BY /*group*/ service_name /*.*/
),
-- Apart from the rest, which an engine can add up for the total from what it has for the groups.
seen AS (
    SELECT /*by*/ service_name /*.*/, count(DISTINCT called) AS models, count(DISTINCT person) AS users
    FROM (
        SELECT /*dimensions*/ service_name /*.*/, model AS called, user_id AS person FROM calls WHERE billable
        UNION
        SELECT /*dimensions*/ service_name /*.*/, called, person FROM failed
    ) AS tried
    GROUP BY /*group*/ service_name /*.*/
)
SELECT
    /*told*/ used.service_name /*.*/,
    used.calls,
    used.priced_calls,
    seen.models,
    seen.users,
    used.input_tokens,
    used.output_tokens,
    used.cost_usd,
    used.errors,
    CAST(used.errors AS DOUBLE) / nullif(used.attempts, 0) AS error_share,
    used.p50_duration_ms,
    used.first_time,
    used.last_time
FROM used
INNER JOIN seen
    ON /*same*/ used.service_name IS NOT DISTINCT FROM seen.service_name /*.*/
