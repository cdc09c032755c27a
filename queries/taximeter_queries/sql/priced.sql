-- How many of the calls that count have a price, and which have none. Stands below every report.
SELECT
    cost_status,
    CASE WHEN cost_usd IS NULL THEN model END AS unpriced_model,
    count(*) AS calls,
    count(cost_usd) AS priced_calls,
    sum(cost_usd) AS cost_usd
FROM /*calls*/ calls /*.*/
WHERE billable AND /*within*/ TRUE /*.*/
GROUP BY cost_status, CASE WHEN cost_usd IS NULL THEN model END
