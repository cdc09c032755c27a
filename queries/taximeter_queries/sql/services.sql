-- Which services call models: how much, for how much, how fast, and with what luck.
-- `attempts` is what sql/attempts.sql tells: calls that count, and each once those that failed.
SELECT
    /*by*/ service_name /*.*/,
    count(CASE WHEN billable THEN 1 END) AS calls,
    count(CASE WHEN billable THEN cost_usd END) AS priced_calls,
    count(DISTINCT model) AS models,
    count(DISTINCT user_id) AS users,
    sum(CASE WHEN billable THEN input_tokens END) AS input_tokens,
    sum(CASE WHEN billable THEN output_tokens END) AS output_tokens,
    sum(CASE WHEN billable THEN cost_usd END) AS cost_usd,
    count(CASE WHEN status = 'error' THEN 1 END) AS errors,
    CAST(count(CASE WHEN status = 'error' THEN 1 END) AS DOUBLE) / nullif(count(*), 0) AS error_share,
    approx_quantile(
        CASE WHEN status = 'ok' AND duration_ms >= 0 AND duration_ms < 1e15 THEN duration_ms END, 0.5
    ) AS p50_duration_ms,
    min(start_time) AS first_time,
    max(start_time) AS last_time
FROM attempts
GROUP BY /*group*/ service_name /*.*/
