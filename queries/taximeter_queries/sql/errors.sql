-- What went wrong, how often, and what failed and repeated calls cost: each failure once, whoever told of it.
--
-- A share is one of all attempts that are alike but for how they went: by model and error, of all at the model.
-- `attempts` is what sql/attempts.sql tells: calls that count, and each once those that failed.
SELECT
    /*by*/ model, error_type /*.*/,
    coalesce(sum(failed), 0) AS errors,
    greatest(coalesce(sum(tried), 0), coalesce(max(tried_alike), 0)) AS of_attempts,
    CAST(sum(failed) AS DOUBLE) / nullif(greatest(sum(tried), max(tried_alike)), 0) AS error_share,
    count(DISTINCT CASE WHEN failed > 0 THEN what END) AS error_types,
    coalesce(sum(failed_unbilled), 0) AS unbilled_errors,
    sum(failed_usd) AS error_cost_usd,
    coalesce(sum(tried_again), 0) AS retries,
    sum(tried_again_usd) AS retry_cost_usd,
    max(last_failed) AS last_error_time
FROM (
    SELECT
        /*dimensions*/ model, error_type /*.*/,
        error_type AS what,
        count(*) AS tried,
        sum(count(*)) OVER (PARTITION BY /*whole*/ model /*.*/) AS tried_alike,
        count(CASE WHEN status = 'error' THEN 1 END) AS failed,
        count(CASE WHEN status = 'error' AND NOT billable THEN 1 END) AS failed_unbilled,
        sum(CASE WHEN status = 'error' THEN cost_usd END) AS failed_usd,
        count(CASE WHEN attempt > 0 THEN 1 END) AS tried_again,
        sum(CASE WHEN attempt > 0 THEN cost_usd END) AS tried_again_usd,
        max(CASE WHEN status = 'error' THEN start_time END) AS last_failed
    FROM attempts
    GROUP BY /*dimensions*/ model, error_type /*.*/, error_type
) AS counted
GROUP BY /*group*/ model, error_type /*.*/
-- What went well is left out, unless it is all there is to say.
HAVING sum(failed) > 0 OR sum(tried_again) > 0 OR coalesce(sum(tried), 0) >= coalesce(max(tried_alike), 0)
