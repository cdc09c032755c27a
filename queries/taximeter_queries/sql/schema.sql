-- The lake's tables, schema version 1. docs/lake.md tells more of them.

-- The ledger: a row for each view of a model call, of which one is billed.
CREATE TABLE calls (
    date DATE NOT NULL, -- The UTC day of `start_time`; the partition.
    start_time TIMESTAMP WITH TIME ZONE NOT NULL, -- When it began or happened; when it was received, if the sender's clock is absurd.
    start_unix_nano BIGINT NOT NULL, -- The same, exactly.
    claimed_unix_nano DECIMAL(20, 0), -- What an absurd clock said: before 2015, or more than a day after it was received. NULL otherwise.
    received_unix_nano BIGINT NOT NULL, -- When the collector had it whole.
    journal_id VARCHAR NOT NULL, -- The journal that it came through: one for each data folder.
    journal_position BIGINT NOT NULL, -- The request that it came in, by its place in the journal.
    journal_item INTEGER NOT NULL, -- Which of the request's records it is. The three are a row's identity.
    duration_ms DOUBLE, -- From the request to the last byte of the answer.
    ttft_ms DOUBLE, -- From the request to the first piece of a streamed answer.
    trace_id VARCHAR, -- 32 hexadecimal digits.
    span_id VARCHAR, -- 16 hexadecimal digits; for a log record, of the span in which it was written.
    parent_span_id VARCHAR, -- The span around it.
    response_id VARCHAR, -- The provider's name for its answer.
    source VARCHAR NOT NULL, -- `span` or `log`.
    dialect VARCHAR NOT NULL, -- How it was told: docs/normalising.md lists the dialects.
    service_name VARCHAR, -- `service.name` of the resource.
    service_version VARCHAR, -- `service.version` of the resource.
    environment VARCHAR, -- `deployment.environment.name` of the resource, or its older spelling.
    operation VARCHAR, -- `chat`, `text_completion`, `generate_content`, `embeddings`, `invoke_agent`, ...
    provider VARCHAR, -- By the conventions' names: `openai`, `anthropic`, `gcp.gemini`, `aws.bedrock`, ...
    request_model VARCHAR, -- The model that was asked for.
    response_model VARCHAR, -- The model that answered.
    model VARCHAR, -- The model as the price book calls it; else the one that answered or was asked for.
    stream BOOLEAN, -- Whether the answer came in pieces.
    finish_reason VARCHAR, -- Why the answer ended; several choices' reasons with commas between.
    status VARCHAR NOT NULL, -- `ok` or `error`.
    error_type VARCHAR, -- What went wrong: a provider's code, an HTTP status, an exception.
    attempt INTEGER, -- 1 for the first retry, 2 for the second; NULL or 0 for what was no retry.
    conversation_id VARCHAR, -- The conversation, or a coding agent's session.
    user_id VARCHAR, -- Who it was done for.
    agent_name VARCHAR, -- The agent that called.
    workflow_name VARCHAR, -- The workflow that it was part of.
    prompt_name VARCHAR, -- The prompt's name in a prompt registry.
    tags MAP(VARCHAR, VARCHAR), -- `taximeter.tag.*` and what other dialects have for it.
    input_tokens BIGINT, -- All that went in: with cache reads and writes, and in all modalities.
    output_tokens BIGINT, -- All that came out: with reasoning, and in all modalities.
    cache_read_tokens BIGINT, -- Of the input: read from a cache.
    cache_write_tokens BIGINT, -- Of the input: written to a cache, for whatever time.
    reasoning_tokens BIGINT, -- Of the output: reasoning.
    cache_write_5m_tokens BIGINT, -- Of what was written to a cache: for five minutes.
    cache_write_1h_tokens BIGINT, -- Of what was written to a cache: for an hour.
    image_input_tokens BIGINT, -- Of the input: images.
    audio_input_tokens BIGINT, -- Of the input: sound.
    video_input_tokens BIGINT, -- Of the input: video.
    image_cache_read_tokens BIGINT, -- Of the images that went in: read from a cache.
    audio_cache_read_tokens BIGINT, -- Of the sound that went in: read from a cache.
    video_cache_read_tokens BIGINT, -- Of the video that went in: read from a cache.
    image_output_tokens BIGINT, -- Of the output: images.
    audio_output_tokens BIGINT, -- Of the output: sound.
    video_output_tokens BIGINT, -- Of the output: video.
    citation_tokens BIGINT, -- Of the output: citations.
    characters BIGINT, -- Characters that went in, where they are what is charged (speech).
    audio_input_ms BIGINT, -- Sound that went in, in milliseconds, where that is what is charged.
    audio_output_ms BIGINT, -- Sound that came out, likewise.
    pages BIGINT, -- Pages that were read (OCR).
    annotated_pages BIGINT, -- Of the pages: annotated.
    images BIGINT, -- Images that were made.
    video_ms BIGINT, -- Video that was made, in milliseconds.
    rerank_searches BIGINT, -- Units of reranking.
    web_searches BIGINT, -- Searches of the web that are charged.
    social_searches BIGINT, -- Searches of social networks that are charged.
    file_searches BIGINT, -- Searches of files that are charged.
    code_executions BIGINT, -- Executions of code that are charged.
    service_tier VARCHAR, -- The tier that the answer named, or that was asked for: `flex`, `priority`, ...
    processing VARCHAR, -- `batch`, if it was part of one.
    speed VARCHAR, -- `fast`, where a provider sells that.
    region VARCHAR, -- Where it was served, if that was told.
    server_address VARCHAR, -- The host that was called.
    cost_usd DECIMAL(18, 12), -- What it costs: the parts below together. NULL if that is not known, never 0.
    input_cost_usd DECIMAL(18, 12), -- Input that is neither read from nor written to a cache.
    output_cost_usd DECIMAL(18, 12), -- Output, with reasoning.
    cache_read_cost_usd DECIMAL(18, 12), -- Input that was read from a cache.
    cache_write_cost_usd DECIMAL(18, 12), -- Input that was written to a cache.
    other_cost_usd DECIMAL(18, 12), -- Searches, requests, and what else is charged by piece.
    reported_cost_usd DECIMAL(18, 12), -- What the provider or the sender said that it costs.
    cost_status VARCHAR NOT NULL, -- `priced`, `reported`, `free`, `unpriced_model`, `missing_usage` or `inconsistent_usage`.
    cost_reason VARCHAR, -- Why there is no price.
    price_id VARCHAR, -- The row of the price book: source, model, day, tier.
    billable BOOLEAN NOT NULL, -- Whether this is the view that counts. Sum where it is true.
    not_billable_because VARCHAR, -- Why it does not count; docs/lake.md lists the reasons.
    view_rank INTEGER, -- How well this view tells of the call; of several, the best is billed.
    billed_as VARCHAR -- The view that counts instead: its `journal_id/journal_position.journal_item`.
);

-- Every span, as it was sent.
CREATE TABLE spans (
    date DATE NOT NULL, -- The UTC day of `start_time`; the partition.
    start_time TIMESTAMP WITH TIME ZONE NOT NULL, -- When it began or happened; when it was received, if the sender's clock is absurd.
    start_unix_nano BIGINT NOT NULL, -- The same, exactly.
    claimed_unix_nano DECIMAL(20, 0), -- What an absurd clock said: before 2015, or more than a day after it was received. NULL otherwise.
    received_unix_nano BIGINT NOT NULL, -- When the collector had it whole.
    journal_id VARCHAR NOT NULL, -- The journal that it came through: one for each data folder.
    journal_position BIGINT NOT NULL, -- The request that it came in, by its place in the journal.
    journal_item INTEGER NOT NULL, -- Which of the request's records it is. The three are a row's identity.
    end_unix_nano BIGINT, -- When it ended, exactly.
    duration_ms DOUBLE, -- How long it took; NULL if it ended before it began.
    trace_id VARCHAR NOT NULL, -- 32 hexadecimal digits.
    span_id VARCHAR NOT NULL, -- 16 hexadecimal digits.
    parent_span_id VARCHAR, -- The span around it; NULL for a root.
    name VARCHAR, -- Its name.
    kind VARCHAR, -- `internal`, `server`, `client`, `producer` or `consumer`.
    status VARCHAR, -- `ok` or `error`; NULL if it was not set.
    status_message VARCHAR, -- What was said of the error.
    service_name VARCHAR, -- `service.name` of the resource.
    service_version VARCHAR, -- `service.version` of the resource.
    environment VARCHAR, -- `deployment.environment.name` of the resource, or its older spelling.
    scope_name VARCHAR, -- The instrumentation scope: which library tells this.
    scope_version VARCHAR, -- Its version.
    dialect VARCHAR, -- Which dialect of GenAI telemetry it was understood as; NULL if it is not about GenAI.
    operation VARCHAR, -- `chat`, `embeddings`, `execute_tool`, `invoke_agent`, ...: `gen_ai.operation.name`.
    conversation_id VARCHAR, -- The conversation, or a coding agent's session.
    user_id VARCHAR, -- Who it was done for.
    agent_name VARCHAR, -- The agent.
    tool_name VARCHAR, -- The tool that was executed.
    attributes MAP(VARCHAR, VARCHAR), -- All attributes as they were sent, but for message content; no text is as JSON.
    resource_attributes MAP(VARCHAR, VARCHAR), -- The same of the resource.
    events STRUCT(time_unix_nano BIGINT, name VARCHAR, attributes MAP(VARCHAR, VARCHAR), dropped_attributes INTEGER)[], -- What happened meanwhile.
    links STRUCT(trace_id VARCHAR, span_id VARCHAR, trace_state VARCHAR, attributes MAP(VARCHAR, VARCHAR), dropped_attributes INTEGER, flags BIGINT)[], -- Spans elsewhere that have to do with it.
    trace_state VARCHAR, -- The W3C trace state.
    flags BIGINT, -- The W3C trace flags, and whether the parent is remote.
    dropped_attributes INTEGER, -- What the sender dropped.
    dropped_events INTEGER, -- What the sender dropped.
    dropped_links INTEGER, -- What the sender dropped.
    schema_url VARCHAR -- Of the scope, or else of the resource.
);

-- Every log record and event.
CREATE TABLE logs (
    date DATE NOT NULL, -- The UTC day of `time`; the partition.
    time TIMESTAMP WITH TIME ZONE NOT NULL, -- When it began or happened; when it was received, if the sender's clock is absurd.
    time_unix_nano BIGINT NOT NULL, -- The same, exactly.
    claimed_unix_nano DECIMAL(20, 0), -- What an absurd clock said: before 2015, or more than a day after it was received. NULL otherwise.
    received_unix_nano BIGINT NOT NULL, -- When the collector had it whole.
    journal_id VARCHAR NOT NULL, -- The journal that it came through: one for each data folder.
    journal_position BIGINT NOT NULL, -- The request that it came in, by its place in the journal.
    journal_item INTEGER NOT NULL, -- Which of the request's records it is. The three are a row's identity.
    observed_unix_nano BIGINT, -- When the sender's collection saw it.
    trace_id VARCHAR, -- The trace in which it was written.
    span_id VARCHAR, -- The span in which it was written.
    event_name VARCHAR, -- The event's name, also where it is told as the attribute `event.name`.
    severity_number INTEGER, -- 1 to 24; NULL if it was not told.
    severity_text VARCHAR, -- As the sender calls it.
    body VARCHAR, -- The body, as JSON if it is no text; without message content.
    service_name VARCHAR, -- `service.name` of the resource.
    service_version VARCHAR, -- `service.version` of the resource.
    environment VARCHAR, -- `deployment.environment.name` of the resource, or its older spelling.
    scope_name VARCHAR, -- The instrumentation scope: which library tells this.
    scope_version VARCHAR, -- Its version.
    dialect VARCHAR, -- Which dialect of GenAI telemetry it was understood as; NULL if it is not about GenAI.
    operation VARCHAR, -- `chat`, `embeddings`, `execute_tool`, `invoke_agent`, ...: `gen_ai.operation.name`.
    conversation_id VARCHAR, -- The conversation, or a coding agent's session.
    user_id VARCHAR, -- Who it was done for.
    agent_name VARCHAR, -- The agent.
    tool_name VARCHAR, -- The tool that was executed.
    attributes MAP(VARCHAR, VARCHAR), -- All attributes as they were sent, but for message content; no text is as JSON.
    resource_attributes MAP(VARCHAR, VARCHAR), -- The same of the resource.
    flags BIGINT, -- The W3C trace flags.
    dropped_attributes INTEGER, -- What the sender dropped.
    schema_url VARCHAR -- Of the scope, or else of the resource.
);

-- Every data point.
CREATE TABLE metrics (
    date DATE NOT NULL, -- The UTC day of `time`; the partition.
    time TIMESTAMP WITH TIME ZONE NOT NULL, -- When it began or happened; when it was received, if the sender's clock is absurd.
    time_unix_nano BIGINT NOT NULL, -- The same, exactly.
    claimed_unix_nano DECIMAL(20, 0), -- What an absurd clock said: before 2015, or more than a day after it was received. NULL otherwise.
    received_unix_nano BIGINT NOT NULL, -- When the collector had it whole.
    journal_id VARCHAR NOT NULL, -- The journal that it came through: one for each data folder.
    journal_position BIGINT NOT NULL, -- The request that it came in, by its place in the journal.
    journal_item INTEGER NOT NULL, -- Which of the request's records it is. The three are a row's identity.
    start_unix_nano BIGINT, -- The beginning of the interval that it is about.
    name VARCHAR NOT NULL, -- The metric.
    type VARCHAR NOT NULL, -- `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.
    unit VARCHAR, -- Its unit.
    description VARCHAR, -- What it is.
    temporality VARCHAR, -- `delta` or `cumulative`.
    monotonic BOOLEAN, -- Of a sum: whether it only rises.
    value DOUBLE, -- Of a gauge or sum: its value.
    value_int BIGINT, -- The same, exactly, if it was sent as an integer.
    count BIGINT, -- Of a distribution: how many values.
    sum DOUBLE, -- Their sum.
    min DOUBLE, -- The smallest.
    max DOUBLE, -- The largest.
    bounds DOUBLE[], -- Of a histogram: the buckets' upper bounds; the last has none.
    bucket_counts BIGINT[], -- How many values are in each bucket.
    scale INTEGER, -- Of an exponential histogram: its resolution.
    zero_count BIGINT, -- How many values are zero.
    zero_threshold DOUBLE, -- What counts as zero.
    positive_offset INTEGER, -- Where the buckets above zero begin.
    positive_counts BIGINT[], -- How many values are in each of them.
    negative_offset INTEGER, -- Where the buckets below zero begin.
    negative_counts BIGINT[], -- How many values are in each of them.
    quantiles STRUCT(quantile DOUBLE, value DOUBLE)[], -- Of a summary: its quantiles.
    exemplars STRUCT(time_unix_nano BIGINT, value DOUBLE, value_int BIGINT, trace_id VARCHAR, span_id VARCHAR, attributes MAP(VARCHAR, VARCHAR))[], -- Single values, with the spans that they come from.
    flags BIGINT, -- 1: nothing was recorded.
    service_name VARCHAR, -- `service.name` of the resource.
    service_version VARCHAR, -- `service.version` of the resource.
    environment VARCHAR, -- `deployment.environment.name` of the resource, or its older spelling.
    scope_name VARCHAR, -- The instrumentation scope: which library tells this.
    scope_version VARCHAR, -- Its version.
    dialect VARCHAR, -- Which dialect of GenAI telemetry it was understood as; NULL if it is not about GenAI.
    measure VARCHAR, -- What it measures, for all dialects: `tokens`, `cost_usd`, `lines_of_code`, ...
    part VARCHAR, -- Of which part: `input`, `output`, `cache_read`, `cache_write`, `added`, `removed`, ...
    provider VARCHAR, -- The provider.
    model VARCHAR, -- The model as the sender names it; `calls.model` is as the price book has it.
    conversation_id VARCHAR, -- The conversation, or a coding agent's session.
    user_id VARCHAR, -- Who it was done for.
    attributes MAP(VARCHAR, VARCHAR), -- All attributes as they were sent, but for message content; no text is as JSON.
    resource_attributes MAP(VARCHAR, VARCHAR), -- The same of the resource.
    schema_url VARCHAR -- Of the scope, or else of the resource.
);

-- What was said: prompts, answers, and what tools were given and gave. Apart from the meter readings.
CREATE TABLE content (
    date DATE NOT NULL, -- The UTC day of `time`; the partition.
    time TIMESTAMP WITH TIME ZONE NOT NULL, -- When it began or happened; when it was received, if the sender's clock is absurd.
    time_unix_nano BIGINT NOT NULL, -- The same, exactly.
    claimed_unix_nano DECIMAL(20, 0), -- What an absurd clock said: before 2015, or more than a day after it was received. NULL otherwise.
    received_unix_nano BIGINT NOT NULL, -- When the collector had it whole.
    journal_id VARCHAR NOT NULL, -- The journal that it came through: one for each data folder.
    journal_position BIGINT NOT NULL, -- The request that it came in, by its place in the journal.
    journal_item INTEGER NOT NULL, -- Which of the request's records it is. The three are a row's identity.
    trace_id VARCHAR, -- The trace.
    span_id VARCHAR, -- The span, or the one in which the log record was written.
    response_id VARCHAR, -- The provider's name for its answer.
    conversation_id VARCHAR, -- The conversation, or a coding agent's session.
    source VARCHAR NOT NULL, -- `span`, `event` (of a span) or `log`.
    dialect VARCHAR, -- How it was told.
    service_name VARCHAR, -- `service.name` of the resource.
    kind VARCHAR NOT NULL, -- `input`, `output`, `system`, `tools`, `tool_input`, `tool_output`, or `other`.
    key VARCHAR NOT NULL, -- The attribute that it was; `body` for the body of a log record.
    piece INTEGER NOT NULL, -- Which attribute of its source it is, from 1; 0: the body. Part of the identity.
    value VARCHAR NOT NULL -- As it was sent; as JSON if it is no text.
);
