"""What a dialect is: a table that says where it keeps what, and, where a table cannot say it, one small function.

A dialect is a module in `dialects/` with a `DIALECT`; it is found because it is there. This is a whole one, for a
library that calls everything by names of its own, and counts what was cached beside the input:

>>> THINKER = Dialect(
...     name="thinker",
...     scopes=("thinker.telemetry",),
...     by_name={"think.*": "chat", "ponder": "invoke_agent"},
...     fields={
...         "request_model": ["think.engine"],
...         "input_tokens": ["think.spent.read"],
...         "output_tokens": ["think.spent.written"],
...         "cache_read_tokens": ["think.spent.remembered"],
...         "ttft_ms": [Scaled("think.first_word_s", 1000)],
...     },
...     constants={"provider": "thinker"},
...     input_excludes_cache=True,
...     content={"think.question": "input", "think.answer.*": "output"},
... )

Names and keys may end in `*`. Keys of the conventions (`gen_ai.*`, see dialects/conventions.py) are looked for
after a dialect's own, so a table has only what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from taximeter_collector.normalise.view import View

__all__ = ["COUNTS", "FIELDS", "NUMBERS", "TEXTS", "At", "Dialect", "Each", "Key", "Measure", "Scaled", "matches"]

TEXTS = (
    "provider",
    "operation",
    "request_model",
    "response_model",
    "response_id",
    "finish_reason",
    "error_type",
    "conversation_id",
    "user_id",
    "agent_name",
    "workflow_name",
    "prompt_name",
    "tool_name",
    "service_tier",
    "processing",
    "speed",
    "region",
    "server_address",
)
COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "image_input_tokens",
    "audio_input_tokens",
    "video_input_tokens",
    "image_cache_read_tokens",
    "audio_cache_read_tokens",
    "video_cache_read_tokens",
    "image_output_tokens",
    "audio_output_tokens",
    "video_output_tokens",
    "citation_tokens",
    "characters",
    "audio_input_ms",
    "audio_output_ms",
    "pages",
    "annotated_pages",
    "images",
    "video_ms",
    "rerank_searches",
    "web_searches",
    "social_searches",
    "file_searches",
    "code_executions",
    "attempt",
)
NUMBERS = ("ttft_ms", "duration_ms", "reported_cost_usd")
"""`duration_ms` is read of log records only; a span has its own."""
FIELDS = (*TEXTS, *COUNTS, *NUMBERS, "stream", "failed")
"""Everything that a table can tell. `failed`: true where a record tells of an error in its attributes."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A number in another unit.

    >>> Scaled("ai.response.msToFirstChunk", 1).times
    1
    """

    key: str
    times: float


@dataclass(frozen=True, slots=True)
class At:
    """Inside an attribute that is JSON: the value at a path.

    >>> At("gen_ai.usage.input_token_details", "cache_read").path
    'cache_read'
    """

    key: str
    path: str  # with dots between; a number is a place in a list


@dataclass(frozen=True, slots=True)
class Each:
    """An attribute whose distinct texts are translated, by a function that may say None.

    >>> Each("openai.api_type", {"responses": "chat"}.get).key
    'openai.api_type'
    """

    key: str
    read: Callable[[str], str | None]


Key: TypeAlias = "str | Scaled | At | Each"


@dataclass(frozen=True, slots=True)
class Measure:
    """What a metric means in the vocabulary of all dialects.

    `by` is the attribute that tells the part, and `parts` translates its values.

    >>> Measure("tokens", by="type", parts={"cacheRead": "cache_read"}).parts["cacheRead"]
    'cache_read'
    """

    measure: str
    by: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    part: str = ""
    """The part, if the metric's name says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way of telling about model calls."""

    name: str
    # Which records are in it: by their scope's name, by an attribute, by the name of the span, event or metric.
    scopes: Sequence[str] = ()
    keys: Sequence[str] = ()
    names: Sequence[str] = ()
    precedence: int = 0
    """Of several dialects that a record may be in, the one with the highest has it. The conventions have -100."""

    # What it says. Sources are tried in order, and the conventions' after them.
    fields: Mapping[str, Sequence[Key]] = field(default_factory=dict)
    events: Sequence[str] = ("exception",)
    """Events of spans whose attributes are read behind the span's own; an exception only of a span that failed."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Texts for where nothing was told."""
    by_name: Mapping[str, str] = field(default_factory=dict)
    """The operation by the name of a span or event, where no attribute tells it. An empty one: not about a model."""
    operations: Mapping[str, str] = field(default_factory=dict)
    """The conventions' names for its operations; an empty one: not about a model."""
    providers: Mapping[str, str] = field(default_factory=dict)
    """The conventions' names for its providers, before those that everybody knows."""
    knows_conventions: bool = True
    """Whether the conventions' keys are looked for as well."""

    # How it counts. Put right before anything else looks at the counts.
    input_excludes_cache: bool = False
    input_may_exclude_cache: bool = False
    """It depends on the provider or the version: where the parts are more than the whole, the whole is without them."""
    output_excludes_reasoning: bool = False

    # What is billed.
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """Operations, or names of spans and events (they may end in `*`), whose usage never counts, and why."""
    rank: int = 0
    """How good its views of a call are, if others tell of the same: SDKs and wire 20, frameworks 10, gateways 5."""

    # What is said, and not metered. `input`, `output`, `system`, `tools`, `tool_input`, `tool_output`, `other`.
    content: Mapping[str, str] = field(default_factory=dict)
    """Attributes with content, by key; of spans, of their events, of log records."""
    body: Mapping[str, str] = field(default_factory=dict)
    """Events whose body is content, by event name."""
    tags: Sequence[str] = ()
    """Attributes that are the user's own tags: `prefix.*`, called what the star stands for; or a whole key. What begins
    with a minus is none, though it may fit another pattern."""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    """Metrics, by name."""

    adjust: Callable[[View], None] | None = None
    """What no table can say. It sees the records of this dialect in a batch as columns: see view.py."""


def matches(pattern: str, name: str) -> bool:
    """Whether a name is meant by a pattern, which may end in a star.

    >>> matches("ai.*", "ai.usage.inputTokens"), matches("model", "model_name")
    (True, False)
    """
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
