-- Which tokens went in and came out, and what caching them has saved. Only the view of each call that counts.
--
-- What caching saved is what the tokens would have cost at the rate of input outside of caches, less what they cost.
-- That rate is what the same price (`price_id`) has charged for input outside of caches, a token; where it has charged
-- for none, nobody knows what was saved, and it is not taken for nothing. Prices are never mixed.
SELECT
    /*by*/ model /*.*/,
    coalesce(sum(calls), 0) AS calls,
    coalesce(sum(metered_calls), 0) AS metered_calls,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    CASE
        WHEN sum(input_tokens) IS NOT NULL OR sum(output_tokens) IS NOT NULL
            THEN coalesce(sum(input_tokens), 0) + coalesce(sum(output_tokens), 0)
    END AS total_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    CAST(sum(sound_cache_read_tokens) AS DOUBLE) / nullif(CAST(sum(sound_input_tokens) AS DOUBLE), 0)
        AS cache_hit_share,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
    sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(image_input_tokens) AS image_input_tokens,
    sum(audio_input_tokens) AS audio_input_tokens,
    sum(video_input_tokens) AS video_input_tokens,
    sum(image_output_tokens) AS image_output_tokens,
    sum(audio_output_tokens) AS audio_output_tokens,
    sum(video_output_tokens) AS video_output_tokens,
    sum(saved_usd) AS cache_saved_usd,
    sum(extra_usd) AS cache_write_extra_usd,
    CASE
        WHEN sum(saved_usd) IS NOT NULL OR sum(extra_usd) IS NOT NULL
            THEN coalesce(sum(saved_usd), 0) - coalesce(sum(extra_usd), 0)
    END AS cache_net_saved_usd
FROM (
    SELECT
        *,
        CAST(CAST(priced_read_tokens AS DOUBLE) * rate - CAST(read_usd AS DOUBLE) AS DECIMAL(38, 12)) AS saved_usd,
        CAST(CAST(write_usd AS DOUBLE) - CAST(priced_write_tokens AS DOUBLE) * rate AS DECIMAL(38, 12)) AS extra_usd
    FROM (
        SELECT
            /*dimensions*/ model /*.*/,
            price_id AS price,
            count(*) AS calls,
            count(coalesce(input_tokens, output_tokens)) AS metered_calls,
            sum(input_tokens) AS input_tokens,
            sum(output_tokens) AS output_tokens,
            sum(cache_read_tokens) AS cache_read_tokens,
            sum(CASE WHEN cost_status <> 'inconsistent_usage' THEN cache_read_tokens END) AS sound_cache_read_tokens,
            sum(CASE WHEN cost_status <> 'inconsistent_usage' THEN input_tokens END) AS sound_input_tokens,
            sum(cache_write_tokens) AS cache_write_tokens,
            sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
            sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
            sum(reasoning_tokens) AS reasoning_tokens,
            sum(image_input_tokens) AS image_input_tokens,
            sum(audio_input_tokens) AS audio_input_tokens,
            sum(video_input_tokens) AS video_input_tokens,
            sum(image_output_tokens) AS image_output_tokens,
            sum(audio_output_tokens) AS audio_output_tokens,
            sum(video_output_tokens) AS video_output_tokens,
            sum(CASE WHEN cache_read_cost_usd IS NOT NULL THEN cache_read_tokens END) AS priced_read_tokens,
            sum(CASE WHEN cache_read_tokens IS NOT NULL THEN cache_read_cost_usd END) AS read_usd,
            sum(CASE WHEN cache_write_cost_usd IS NOT NULL THEN cache_write_tokens END) AS priced_write_tokens,
            sum(CASE WHEN cache_write_tokens IS NOT NULL THEN cache_write_cost_usd END) AS write_usd,
            CASE
                WHEN price_id IS NOT NULL
                    THEN CAST(sum(sum(
                        CASE WHEN input_tokens IS NOT NULL THEN input_cost_usd END
                    )) OVER (PARTITION BY price_id) AS DOUBLE) / nullif(CAST(sum(sum(
                        CASE
                            WHEN input_cost_usd IS NOT NULL
                                THEN input_tokens - coalesce(cache_read_tokens, 0) - coalesce(cache_write_tokens, 0)
                        END
                    )) OVER (PARTITION BY price_id) AS DOUBLE), 0)
            END AS rate
        FROM calls
        WHERE billable
        GROUP BY /*dimensions*/ model /*.*/, price_id
    ) AS by_price
) AS rated
GROUP BY /*group*/ model /*.*/
