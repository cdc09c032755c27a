-- What two sides of a comparison are made of: counts, sums, means and variances of each.
--
-- `calls` and `failures` have a column `side` here, which says whose each row is; a call may be on both. Of a failure
-- that costs nothing, no more is looked at than that it is one.
SELECT
    /*by*/ total /*.*/,
    side,
    count(*) AS attempts,
    count(CASE WHEN status = 'error' THEN 1 END) AS errors,
    count(CASE WHEN billable THEN 1 END) AS calls,
    sum(cost_usd) AS cost_usd,
    count(cost_usd) AS priced_calls,
    avg(CAST(cost_usd AS DOUBLE)) AS mean_cost,
    var_samp(CAST(cost_usd AS DOUBLE)) AS var_cost,
    count(input_tokens) AS input_calls,
    avg(CAST(input_tokens AS DOUBLE)) AS mean_input,
    var_samp(CAST(input_tokens AS DOUBLE)) AS var_input,
    count(output_tokens) AS output_calls,
    avg(told_output) AS mean_output,
    var_samp(told_output) AS var_output,
    count(CASE WHEN input_tokens > 0 THEN 1 END) AS read_calls,
    CAST(sum(CASE WHEN input_tokens > 0 THEN coalesce(cache_read_tokens, 0) END) AS DOUBLE)
        / sum(CASE WHEN input_tokens > 0 THEN input_tokens END) AS cache_hit_share,
    count(duration) AS timed_calls,
    avg(duration) AS mean_duration,
    approx_quantile(duration, [0.5, 0.95])[1] AS p50_duration,
    approx_quantile(duration, [0.5, 0.95])[2] AS p95_duration,
    count(ln_duration) AS ln_calls,
    avg(ln_duration) AS mean_ln_duration,
    var_samp(ln_duration) AS var_ln_duration,
    count(ttft) AS ttft_calls,
    approx_quantile(ttft, 0.5) AS p50_ttft,
    count(ln_ttft) AS ln_ttft_calls,
    avg(ln_ttft) AS mean_ln_ttft,
    var_samp(ln_ttft) AS var_ln_ttft,
    count(speed) AS speed_calls,
    approx_quantile(speed, 0.5) AS p50_speed,
    avg(ln_speed) AS mean_ln_speed,
    var_samp(ln_speed) AS var_ln_speed,
    count(ln_speed) AS ln_speed_calls
FROM (
    SELECT
        *,
        CASE WHEN duration > 0 THEN ln(duration) END AS ln_duration,
        CASE WHEN ttft > 0 THEN ln(ttft) END AS ln_ttft,
        CASE WHEN speed > 0 THEN ln(speed) END AS ln_speed
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
                billable,
                status,
                cost_usd,
                input_tokens,
                output_tokens,
                CAST(output_tokens AS DOUBLE) AS told_output,
                cache_read_tokens,
                stream AS streamed,
                -- A time that no clock gives is taken for unknown, and one that it took to fail is no latency.
                CASE WHEN status = 'ok' AND duration_ms >= 0 AND duration_ms < 1e15 THEN duration_ms END AS duration,
                CASE WHEN status = 'ok' AND ttft_ms >= 0 AND ttft_ms < 1e15 THEN ttft_ms END AS ttft
            FROM calls
            WHERE billable
            UNION ALL
            SELECT
                /*dimensions*/ 'all' AS total /*.*/, side, billable, status, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
            FROM failures
        ) AS told
    ) AS timed
) AS measured
GROUP BY /*group*/ total /*.*/, side
