-- Sessions of coding agents: calls and what they cost, tools, lines, commits, decisions.
--
-- Facts of all kinds are put below each other, a row each, and then grouped: by session, or by whatever they all tell.
WITH points AS (
    -- A point that was sent again is the same point.
    SELECT
        dialect, service_name, conversation_id, user_id, model, measure, part, temporality, name,
        CAST(attributes AS VARCHAR) AS labels,
        CAST(resource_attributes AS VARCHAR) AS origin,
        coalesce(
            attributes['tool_name'], attributes['function_name'], attributes['gen_ai.tool.name'], attributes['tool']
        ) AS tool_name,
        start_unix_nano AS series_unix_nano,
        time_unix_nano AS start_unix_nano,
        min(time) AS start_time,
        max(coalesce(CAST(value_int AS DOUBLE), value)) AS value
    FROM metrics
    WHERE dialect IN ('claude_code', 'codex', 'gemini_cli', 'copilot')
        AND measure IN ('lines_of_code', 'commits', 'pull_requests', 'active_time_s', 'code_edit_decisions')
        AND type = 'sum'
        AND /*cut*/ TRUE /*.*/
    GROUP BY
        dialect, service_name, conversation_id, user_id, model, measure, part, temporality, name,
        CAST(attributes AS VARCHAR),
        CAST(resource_attributes AS VARCHAR),
        coalesce(
            attributes['tool_name'], attributes['function_name'], attributes['gen_ai.tool.name'], attributes['tool']
        ),
        start_unix_nano,
        time_unix_nano
),
steps AS (
    SELECT
        *,
        lag(value) OVER (
            PARTITION BY name, labels, origin, series_unix_nano ORDER BY start_unix_nano
        ) AS value_before
    FROM points
),
increments AS (
    -- A cumulative series tells its sum so far: what is new is the difference. What it had before the window is not of
    -- the window; where it fell, it began anew.
    SELECT
        *,
        CASE
            WHEN temporality = 'delta' THEN value
            WHEN value_before IS NULL AND coalesce(series_unix_nano, 0) < /*since*/ 0 /*.*/ THEN 0
            WHEN value_before IS NULL OR value < value_before THEN value
            ELSE value - value_before
        END AS added
    FROM steps
    WHERE temporality IN ('delta', 'cumulative')
),
tools AS (
    -- Executions and decisions, as spans and as events tell of them.
    SELECT
        dialect, service_name, conversation_id, user_id, tool_name, start_time, start_unix_nano,
        concat(trace_id, span_id) AS tool_span,
        CAST(NULL AS VARCHAR) AS tool_event,
        CAST(NULL AS VARCHAR) AS decision,
        CAST(NULL AS VARCHAR) AS decided
    FROM spans
    WHERE dialect IN ('claude_code', 'codex', 'gemini_cli', 'copilot')
        AND operation = 'execute_tool'
        AND /*cut*/ TRUE /*.*/
    UNION ALL
    SELECT
        dialect, service_name, conversation_id, user_id, tool_name, time AS start_time, time_unix_nano AS start_unix_nano,
        CAST(NULL AS VARCHAR) AS tool_span,
        CASE
            WHEN operation = 'execute_tool' THEN coalesce(
                attributes['tool_use_id'], attributes['call_id'],
                concat(CAST(time_unix_nano AS VARCHAR), CAST(attributes AS VARCHAR))
            )
        END AS tool_event,
        lower(attributes['decision']) AS decision,
        coalesce(
            attributes['tool_use_id'], attributes['call_id'],
            concat(CAST(time_unix_nano AS VARCHAR), CAST(attributes AS VARCHAR))
        ) AS decided
    FROM logs
    WHERE dialect IN ('claude_code', 'codex', 'gemini_cli', 'copilot')
        AND (
            operation = 'execute_tool'
            OR event_name IN ('tool_decision', 'claude_code.tool_decision', 'codex.tool_decision')
        )
        AND /*cut*/ TRUE /*.*/
),
views AS (
    SELECT *
    FROM calls
    WHERE dialect IN ('claude_code', 'codex', 'gemini_cli', 'copilot')
),
facts AS (
    SELECT
        dialect, service_name, conversation_id, user_id, model,
        CAST(NULL AS VARCHAR) AS tool_name,
        start_time,
        start_unix_nano,
        CASE WHEN billable THEN 1 END AS call,
        CASE WHEN status = 'error' THEN 1 END AS error,
        CASE WHEN billable THEN duration_ms END AS duration_ms,
        CASE WHEN billable THEN input_tokens END AS input_tokens,
        CASE WHEN billable THEN output_tokens END AS output_tokens,
        CASE WHEN billable THEN cost_usd END AS cost_usd,
        CAST(NULL AS DECIMAL(18, 12)) AS span_usd,
        CAST(NULL AS DECIMAL(18, 12)) AS event_usd,
        CAST(NULL AS VARCHAR) AS tool_span,
        CAST(NULL AS VARCHAR) AS tool_event,
        CAST(NULL AS VARCHAR) AS accepted,
        CAST(NULL AS VARCHAR) AS rejected,
        CAST(NULL AS VARCHAR) AS measure,
        CAST(NULL AS VARCHAR) AS part,
        CAST(NULL AS DOUBLE) AS added
    FROM (/*attempts*/ SELECT * FROM views WHERE billable OR not_billable_because = 'failed' /*.*/) AS attempts
    UNION ALL
    -- What the tool itself says that a call costs is told by one of the call's views, not always by the one that counts.
    SELECT
        dialect, service_name, conversation_id, user_id, model, NULL, start_time, start_unix_nano,
        NULL, NULL, NULL, NULL, NULL, NULL,
        CASE WHEN source = 'span' THEN reported_cost_usd END,
        CASE WHEN source = 'log' THEN reported_cost_usd END,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM views
    WHERE reported_cost_usd IS NOT NULL
        AND (billable OR not_billable_because IN ('same_response', 'same_call'))
    UNION ALL
    SELECT
        dialect, service_name, conversation_id, user_id, NULL, tool_name, start_time, start_unix_nano,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        tool_span,
        tool_event,
        CASE
            WHEN decision LIKE 'accept%' OR decision LIKE 'approved%' OR decision IN ('auto_accept', 'modify')
                THEN decided
        END,
        CASE WHEN decision LIKE 'reject%' OR decision IN ('denied', 'abort', 'cancel') THEN decided END,
        NULL, NULL, NULL
    FROM tools
    UNION ALL
    SELECT
        dialect, service_name, conversation_id, user_id, model, tool_name, start_time, start_unix_nano,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        measure,
        part,
        added
    FROM increments
)
SELECT
    /*by*/ conversation_id AS session /*.*/,
    array_agg(DISTINCT CASE WHEN service_name LIKE 'qwen%' THEN 'qwen_code' ELSE dialect END) AS agents,
    array_agg(DISTINCT user_id) AS users,
    array_agg(DISTINCT model) AS models,
    min(start_time) AS start_time,
    CAST(max(start_unix_nano) - min(start_unix_nano) AS DOUBLE) / 1e6 AS duration_ms,
    sum(CASE WHEN measure = 'active_time_s' THEN added END) * 1000 AS active_ms,
    count(call) AS calls,
    count(error) AS errors,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cost_usd) AS cost_usd,
    greatest(coalesce(sum(span_usd), sum(event_usd)), coalesce(sum(event_usd), sum(span_usd))) AS reported_cost_usd,
    greatest(count(DISTINCT tool_span), count(DISTINCT tool_event)) AS tool_calls,
    greatest(
        CAST(count(DISTINCT accepted) AS DOUBLE),
        coalesce(sum(CASE WHEN measure = 'code_edit_decisions' AND part = 'accept' THEN added END), 0)
    ) AS accepted,
    greatest(
        CAST(count(DISTINCT rejected) AS DOUBLE),
        coalesce(sum(CASE WHEN measure = 'code_edit_decisions' AND part = 'reject' THEN added END), 0)
    ) AS rejected,
    sum(CASE WHEN measure = 'lines_of_code' AND part = 'added' THEN added END) AS lines_added,
    sum(CASE WHEN measure = 'lines_of_code' AND part = 'removed' THEN added END) AS lines_removed,
    sum(CASE WHEN measure = 'commits' THEN added END) AS commits,
    sum(CASE WHEN measure = 'pull_requests' THEN added END) AS pull_requests
FROM facts
GROUP BY /*group*/ conversation_id /*.*/
