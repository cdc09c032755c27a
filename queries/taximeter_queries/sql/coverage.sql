-- What is known of the cost and what is not: every view of a call, whether it counts, and what is said of its price.
-- Where somebody reported a cost for a call that has a price here, the two stand side by side.
SELECT
    /*by*/ billable, not_billable_because, cost_status, cost_reason, model /*.*/,
    count(*) AS views,
    count(CASE WHEN billable THEN 1 END) AS calls,
    count(CASE WHEN billable AND cost_usd IS NOT NULL THEN 1 END) AS priced_calls,
    count(CASE WHEN billable AND cost_usd IS NULL THEN 1 END) AS unpriced_calls,
    count(CASE WHEN billable AND cost_status = 'inconsistent_usage' THEN 1 END) AS inconsistent_calls,
    count(CASE WHEN NOT billable THEN 1 END) AS not_billed_views,
    sum(CASE WHEN billable THEN cost_usd END) AS cost_usd,
    count(CASE WHEN billable AND cost_status = 'priced' AND reported_cost_usd IS NOT NULL THEN 1 END) AS compared_calls,
    sum(CASE WHEN billable AND cost_status = 'priced' AND reported_cost_usd IS NOT NULL THEN cost_usd END)
        AS compared_cost_usd,
    sum(CASE WHEN billable AND cost_status = 'priced' THEN reported_cost_usd END) AS compared_reported_cost_usd
FROM calls
GROUP BY /*group*/ billable, not_billable_because, cost_status, cost_reason, model /*.*/
