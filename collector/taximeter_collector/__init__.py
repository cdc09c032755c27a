"""OTLP in, journal, lake and backends out. Comes with `taximeter[collector]`; an app never imports it."""
