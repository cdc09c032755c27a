"""Bedrock as the instrumentation of botocore tells it: the older conventions, but the input as AWS counts it.

What was read from and written to a cache stands beside the input; of a model's own API (InvokeModel) it is not told.
"""

from __future__ import annotations

from taximeter_collector.normalise.dialect import Dialect

__all__ = ["DIALECT"]

DIALECT = Dialect(
    name="botocore",
    scopes=["opentelemetry.instrumentation.botocore.bedrock-runtime"],
    input_excludes_cache=True,
    rank=20,
)
