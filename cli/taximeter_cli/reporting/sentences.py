"""All reports, as `taximeter --help` lists them without importing any. A test holds them to the reports themselves."""

from __future__ import annotations

__all__ = ["SENTENCES"]

SENTENCES = {
    "cost": "What calls cost, and how many of them have a price.",
    "tokens": "Which tokens went in and came out, and what caching saved.",
    "latency": "How long answers took: percentiles, time to the first token, tokens per second.",
    "errors": "What went wrong: how often, of which type, and what failed and repeated calls cost.",
    "top": "What costs most: models, users, conversations, or whatever else calls can be grouped by.",
    "models": "How models are used: how much, at what cost, by how many, since when.",
    "services": "Which services call models: how much, at what cost, how fast, and with what luck.",
    "users": "Who calls models: how much, at what cost, and with what luck.",
    "conversations": "Conversations, and coding agents' sessions, and what they cost; the most expensive first.",
    "conversation": "One conversation: its calls in order, what was new in each, and what it cost.",
    "sessions": "What coding agents did in their sessions: calls, cost, tools, lines, commits; "
    "the most expensive first.",
    "traces": "Traces that have calls, and what these cost; the most expensive first.",
    "trace": "One trace as a tree: every span, what it took, and what it and all below it cost.",
    "calls": "Calls one by one, the newest first: every view of them, also those that do not count.",
    "compare": "Two windows, models, versions or tags beside each other, "
    "and whether the difference is more than chance.",
    "coverage": "What is priced, unpriced, inconsistent or not billed, and why.",
    "sql": "Answer a query of your own over the lake's tables, and nothing but those: no other files, no network.",
    "schema": "List the lake's tables, the columns of one, or the dimensions that --by knows.",
}
