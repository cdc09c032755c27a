-- One conversation: every view of its calls, which of them are its turns, and what was said, as it was sent.
WITH views AS (
    SELECT * FROM calls WHERE conversation_id = /*conversation_id*/ 'conversation' /*.*/
),
turns AS (
    SELECT journal_id, journal_position, journal_item
    FROM (/*attempts*/ SELECT * FROM views WHERE billable OR not_billable_because = 'failed' /*.*/) AS attempts
)
SELECT
    CASE WHEN turns.journal_id IS NULL THEN 'view' ELSE 'turn' END AS what,
    concat(views.journal_id, '/', views.journal_position, '.', views.journal_item) AS identity,
    views.start_unix_nano AS unix_nano,
    views.start_time AS start_time,
    views.trace_id AS trace_id,
    views.span_id AS span_id,
    views.response_id AS response_id,
    views.source AS source,
    views.operation AS operation,
    views.model AS model,
    views.agent_name AS agent_name,
    views.user_id AS user_id,
    views.service_name AS service_name,
    views.duration_ms AS duration_ms,
    views.ttft_ms AS ttft_ms,
    views.status AS status,
    views.error_type AS error_type,
    views.finish_reason AS finish_reason,
    views.input_tokens AS input_tokens,
    views.output_tokens AS output_tokens,
    views.cache_read_tokens AS cache_read_tokens,
    views.cost_usd AS cost_usd,
    views.cost_status AS cost_status,
    views.billable AS billable,
    views.billed_as AS billed_as,
    CAST(NULL AS VARCHAR) AS kind,
    CAST(NULL AS VARCHAR) AS key,
    CAST(NULL AS INTEGER) AS piece,
    CAST(NULL AS VARCHAR) AS value
FROM views
LEFT JOIN turns
    ON views.journal_id = turns.journal_id
    AND views.journal_position = turns.journal_position
    AND views.journal_item = turns.journal_item
UNION ALL
SELECT
    'said' AS what,
    concat(journal_id, '/', journal_position, '.', journal_item) AS identity,
    time_unix_nano AS unix_nano,
    time AS start_time,
    trace_id,
    span_id,
    response_id,
    source,
    CAST(NULL AS VARCHAR) AS operation,
    CAST(NULL AS VARCHAR) AS model,
    CAST(NULL AS VARCHAR) AS agent_name,
    CAST(NULL AS VARCHAR) AS user_id,
    CAST(NULL AS VARCHAR) AS service_name,
    CAST(NULL AS DOUBLE) AS duration_ms,
    CAST(NULL AS DOUBLE) AS ttft_ms,
    CAST(NULL AS VARCHAR) AS status,
    CAST(NULL AS VARCHAR) AS error_type,
    CAST(NULL AS VARCHAR) AS finish_reason,
    CAST(NULL AS BIGINT) AS input_tokens,
    CAST(NULL AS BIGINT) AS output_tokens,
    CAST(NULL AS BIGINT) AS cache_read_tokens,
    CAST(NULL AS DECIMAL(18, 12)) AS cost_usd,
    CAST(NULL AS VARCHAR) AS cost_status,
    CAST(NULL AS BOOLEAN) AS billable,
    CAST(NULL AS VARCHAR) AS billed_as,
    kind,
    key,
    piece,
    value
FROM content
WHERE conversation_id = /*conversation_id*/ 'conversation' /*.*/
    OR (conversation_id IS NULL AND trace_id IN (SELECT trace_id FROM views))
