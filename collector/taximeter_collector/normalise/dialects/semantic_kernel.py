"""Microsoft's Semantic Kernel: the conventions of 2025, with Python's names for reasons and errors.

Of usage it tells the two totals, and these of OpenAI only.
"""

from __future__ import annotations

import re

from taximeter_collector.normalise.dialect import Dialect, Each
from taximeter_collector.normalise.dialects._texts import host_of
from taximeter_collector.normalise.view import View

__all__ = ["DIALECT"]


def _reasons(text: str) -> str | None:
    """Names of an enumeration's members.

    >>> _reasons("FinishReason.STOP,FinishReason.TOOL_CALLS"), _reasons("None")
    ('stop,tool_calls', None)
    """
    found = [reason.rpartition(".")[2].lower() for reason in text.split(",")]
    return ",".join(reason for reason in found if reason != "none") or None


def _adjust(view: View) -> None:
    view.translate("error_type", lambda text: re.sub(r"^<class '(.+)'>$", r"\1", text))


DIALECT = Dialect(
    name="semantic_kernel",
    scopes=["semantic_kernel.*", "Microsoft.SemanticKernel*"],
    fields={
        "finish_reason": [Each("gen_ai.response.finish_reason", _reasons)],
        "server_address": [Each("server.address", host_of)],
    },
    rank=10,
    adjust=_adjust,
)
