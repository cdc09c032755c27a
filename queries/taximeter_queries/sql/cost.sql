-- What calls cost. Only the view of each call that counts; what has no price is told apart, not taken for nothing.
SELECT
    /*by*/ model /*.*/,
    count(*) AS calls,
    count(cost_usd) AS priced_calls,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(cost_usd) AS cost_usd,
    CAST(CAST(sum(cost_usd) AS DOUBLE) / nullif(count(cost_usd), 0) AS DECIMAL(38, 12)) AS cost_per_call_usd,
    sum(input_cost_usd) AS input_cost_usd,
    sum(output_cost_usd) AS output_cost_usd,
    sum(cache_read_cost_usd) AS cache_read_cost_usd,
    sum(cache_write_cost_usd) AS cache_write_cost_usd,
    sum(other_cost_usd) AS other_cost_usd,
    sum(reported_cost_usd) AS reported_cost_usd
FROM calls
WHERE billable
GROUP BY /*group*/ model /*.*/
