-- What costs most: each one's share of all cost, and of all that cost more together. Unknown cost has no share.
SELECT
    /*by*/ model /*.*/,
    count(*) AS calls,
    count(cost_usd) AS priced_calls,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cost_usd) AS cost_usd,
    CAST(sum(cost_usd) AS DOUBLE) / nullif(CAST(sum(sum(cost_usd)) OVER () AS DOUBLE), 0) AS cost_share,
    CASE
        WHEN sum(cost_usd) IS NOT NULL
            THEN CAST(sum(sum(cost_usd)) OVER (
                ORDER BY sum(cost_usd) DESC NULLS LAST, count(*) DESC, /*dimensions*/ model /*.*/
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS DOUBLE) / nullif(CAST(sum(sum(cost_usd)) OVER () AS DOUBLE), 0)
    END AS cumulative_cost_share,
    max(cost_usd) AS max_cost_usd,
    nullif(
        arg_max(
            CASE WHEN cost_usd IS NOT NULL THEN coalesce(trace_id, '') END,
            (cost_usd, start_unix_nano, coalesce(trace_id, ''))
        ),
        ''
    ) AS max_cost_trace_id
FROM calls
WHERE billable
GROUP BY /*group*/ model /*.*/
