-- How models are used: by whom, from when to when, how much, and at what cost. Only the view of each call that counts.
WITH used AS (
    SELECT
        /*by*/ model, provider /*.*/,
        count(*) AS calls,
        count(cost_usd) AS priced_calls,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(cache_read_tokens) AS cache_read_tokens,
        sum(cost_usd) AS cost_usd,
        approx_quantile(
            CASE WHEN status = 'ok' AND duration_ms >= 0 AND duration_ms < 1e15 THEN duration_ms END, 0.5
        ) AS p50_duration_ms,
        min(start_time) AS first_time,
        max(start_time) AS last_time
    FROM calls
    WHERE billable
    GROUP BY /*group*/ model, provider /*.*/
),
-- Apart from the rest, which an engine can add up for the total from what it has for the groups.
seen AS (
    SELECT
        /*by*/ model, provider /*.*/,
        count(DISTINCT service) AS services,
        count(DISTINCT person) AS users
    FROM (
        SELECT DISTINCT /*dimensions*/ model, provider /*.*/, service_name AS service, user_id AS person
        FROM calls
        WHERE billable
    ) AS each
    GROUP BY /*group*/ model, provider /*.*/
)
SELECT
    /*told*/ used.model, used.provider /*.*/,
    used.calls,
    used.priced_calls,
    seen.services,
    seen.users,
    used.input_tokens,
    used.output_tokens,
    used.cache_read_tokens,
    used.cost_usd,
    CAST(CAST(used.cost_usd AS DOUBLE) / nullif(used.priced_calls, 0) * 1000 AS DECIMAL(38, 12))
        AS cost_per_1000_calls_usd,
    used.p50_duration_ms,
    used.first_time,
    used.last_time
FROM used
INNER JOIN seen
    ON /*same*/ used.model IS NOT DISTINCT FROM seen.model
    AND used.provider IS NOT DISTINCT FROM seen.provider /*.*/
