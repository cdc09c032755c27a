-- How long answers took. Only calls that were answered, each once; a time that no clock gives is taken for unknown.
--
-- Speed is output tokens by the time in which they came: without the time to the first one where the answer came in
-- pieces, and in all of the call's time where it came whole. Percentiles are those of a sketch, to about a percent.
SELECT
    /*by*/ model, stream /*.*/,
    count(*) AS calls,
    approx_quantile(duration, [0.5, 0.9, 0.95, 0.99])[1] AS p50_duration_ms,
    approx_quantile(duration, [0.5, 0.9, 0.95, 0.99])[2] AS p90_duration_ms,
    approx_quantile(duration, [0.5, 0.9, 0.95, 0.99])[3] AS p95_duration_ms,
    approx_quantile(duration, [0.5, 0.9, 0.95, 0.99])[4] AS p99_duration_ms,
    avg(duration) AS mean_duration_ms,
    max(duration) AS max_duration_ms,
    count(ttft) AS ttft_calls,
    approx_quantile(ttft, [0.5, 0.9, 0.95, 0.99])[1] AS p50_ttft_ms,
    approx_quantile(ttft, [0.5, 0.9, 0.95, 0.99])[2] AS p90_ttft_ms,
    approx_quantile(ttft, [0.5, 0.9, 0.95, 0.99])[3] AS p95_ttft_ms,
    approx_quantile(ttft, [0.5, 0.9, 0.95, 0.99])[4] AS p99_ttft_ms,
    avg(ttft) AS mean_ttft_ms,
    max(ttft) AS max_ttft_ms,
    approx_quantile(output / writing * 1000, [0.05, 0.5, 0.95])[2] AS p50_output_tokens_per_second,
    approx_quantile(output / writing * 1000, [0.05, 0.5, 0.95])[1] AS p5_output_tokens_per_second,
    approx_quantile(output / writing * 1000, [0.05, 0.5, 0.95])[3] AS p95_output_tokens_per_second,
    sum(CASE WHEN writing > 0 THEN output END) / sum(CASE WHEN output >= 0 THEN writing END) * 1000
        AS mean_output_tokens_per_second
FROM (
    SELECT
        *,
        CASE
            WHEN duration > ttft THEN duration - ttft
            WHEN duration > 0 AND ttft IS NULL AND NOT coalesce(streamed, FALSE) THEN duration
        END AS writing
    FROM (
        SELECT
            /*dimensions*/ model, stream /*.*/,
            stream AS streamed,
            CASE WHEN duration_ms >= 0 AND duration_ms < 1e15 THEN duration_ms END AS duration,
            CASE WHEN ttft_ms >= 0 AND ttft_ms < 1e15 THEN ttft_ms END AS ttft,
            CAST(output_tokens AS DOUBLE) AS output
        FROM calls
        WHERE billable AND status = 'ok'
    ) AS told
) AS timed
GROUP BY /*group*/ model, stream /*.*/
