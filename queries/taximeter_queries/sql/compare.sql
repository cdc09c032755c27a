-- What two sides of a comparison are made of: counts, sums, means and variances of each.
--
-- `calls` and `attempts` have a column `side` here, which says whose each row is; a call may be on both.
SELECT
    /*by*/ total /*.*/,
    side,
    count(*) AS attempts,
    count(CASE WHEN status = 'error' THEN 1 END) AS errors,
    count(CASE WHEN billable THEN 1 END) AS calls,
    sum(CASE WHEN billable THEN cost_usd END) AS cost_usd,
    count(CASE WHEN billable THEN cost_usd END) AS priced_calls,
    avg(CASE WHEN billable THEN CAST(cost_usd AS DOUBLE) END) AS mean_cost,
    var_samp(CASE WHEN billable THEN CAST(cost_usd AS DOUBLE) END) AS var_cost,
    count(CASE WHEN billable THEN input_tokens END) AS input_calls,
    avg(CASE WHEN billable THEN CAST(input_tokens AS DOUBLE) END) AS mean_input,
    var_samp(CASE WHEN billable THEN CAST(input_tokens AS DOUBLE) END) AS var_input,
    count(CASE WHEN billable THEN output_tokens END) AS output_calls,
    avg(CASE WHEN billable THEN CAST(output_tokens AS DOUBLE) END) AS mean_output,
    var_samp(CASE WHEN billable THEN CAST(output_tokens AS DOUBLE) END) AS var_output,
    count(CASE WHEN billable AND input_tokens > 0 THEN 1 END) AS read_calls,
    CAST(sum(CASE WHEN billable AND input_tokens > 0 THEN coalesce(cache_read_tokens, 0) END) AS DOUBLE)
        / sum(CASE WHEN billable AND input_tokens > 0 THEN input_tokens END) AS cache_hit_share,
    count(duration) AS timed_calls,
    avg(duration) AS mean_duration,
    approx_quantile(duration, [0.5, 0.95])[1] AS p50_duration,
    approx_quantile(duration, [0.5, 0.95])[2] AS p95_duration,
    count(CASE WHEN duration > 0 THEN 1 END) AS ln_calls,
    avg(CASE WHEN duration > 0 THEN ln(duration) END) AS mean_ln_duration,
    var_samp(CASE WHEN duration > 0 THEN ln(duration) END) AS var_ln_duration,
    count(ttft) AS ttft_calls,
    approx_quantile(ttft, 0.5) AS p50_ttft,
    count(CASE WHEN ttft > 0 THEN 1 END) AS ln_ttft_calls,
    avg(CASE WHEN ttft > 0 THEN ln(ttft) END) AS mean_ln_ttft,
    var_samp(CASE WHEN ttft > 0 THEN ln(ttft) END) AS var_ln_ttft,
    count(speed) AS speed_calls,
    approx_quantile(speed, 0.5) AS p50_speed,
    avg(CASE WHEN speed > 0 THEN ln(speed) END) AS mean_ln_speed,
    var_samp(CASE WHEN speed > 0 THEN ln(speed) END) AS var_ln_speed,
    count(CASE WHEN speed > 0 THEN 1 END) AS ln_speed_calls
FROM (
    SELECT
        *,
        CASE
            WHEN duration > ttft THEN told_output / (duration - ttft) * 1000
            WHEN duration > 0 AND ttft IS NULL AND NOT coalesce(streamed, FALSE) THEN told_output / duration * 1000
        END AS speed
    FROM (
        SELECT
            /*dimensions*/ 'all' AS total /*.*/,
            side,
            status,
            billable,
            cost_usd,
            input_tokens,
            output_tokens,
            cache_read_tokens,
            stream AS streamed,
            -- A time that no clock gives is taken for unknown, and one that it took to fail is no latency.
            CASE WHEN billable AND status = 'ok' AND duration_ms >= 0 AND duration_ms < 1e15 THEN duration_ms END
                AS duration,
            CASE WHEN billable AND status = 'ok' AND ttft_ms >= 0 AND ttft_ms < 1e15 THEN ttft_ms END AS ttft,
            CAST(output_tokens AS DOUBLE) AS told_output
        FROM attempts
    ) AS told
) AS timed
GROUP BY /*group*/ total /*.*/, side
