-- How models are used: by whom, from when to when, how much, and at what cost. Only the view of each call that counts.
SELECT
    /*by*/ model, provider /*.*/,
    count(*) AS calls,
    count(cost_usd) AS priced_calls,
    count(DISTINCT service_name) AS services,
    count(DISTINCT user_id) AS users,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cost_usd) AS cost_usd,
    CAST(CAST(sum(cost_usd) AS DOUBLE) / nullif(count(cost_usd), 0) * 1000 AS DECIMAL(38, 12))
        AS cost_per_1000_calls_usd,
    approx_quantile(
        CASE WHEN status = 'ok' AND duration_ms >= 0 AND duration_ms < 1e15 THEN duration_ms END, 0.5
    ) AS p50_duration_ms,
    min(start_time) AS first_time,
    max(start_time) AS last_time
FROM calls
WHERE billable
GROUP BY /*group*/ model, provider /*.*/
