"""pip install opentelemetry-instrumentation-botocore==0.66b2 boto3==1.44.5"""

from __future__ import annotations

import json
import os
from typing import Any

from tests.collector.corpus.make.capture import Corpus

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SAID: list[Any] = [{"role": "user", "content": [{"text": "How much?"}]}]


def bedrock(url: str) -> Any:
    import boto3
    from botocore.config import Config

    named = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    options = Config(retries={"total_max_attempts": 1})
    return boto3.client("bedrock-runtime", endpoint_url=url, config=options, **named)


def main() -> None:
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

    with Corpus("botocore", "opentelemetry-instrumentation-botocore", "boto3") as corpus:
        BotocoreInstrumentor().instrument()
        client = bedrock(corpus.loopback.url)
        body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64, "messages": SAID}
        if os.environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"):
            with corpus.case("content", "Content, in an event for each message."):
                client.converse(modelId=MODEL, messages=SAID)
            return
        with corpus.case("converse", "Converse; what was read from the cache stands beside the input."):
            client.converse(modelId=MODEL, messages=SAID)
        with corpus.case("converse-stream", "Converse, streamed."):
            list(client.converse_stream(modelId=MODEL, messages=SAID)["stream"])
        with corpus.case("invoke", "A model's own API."):
            client.invoke_model(modelId=MODEL, body=json.dumps(body))["body"].read()
        with corpus.case("error", "The provider had enough."):
            try:
                client.converse(modelId=f"{MODEL}?status=429", messages=SAID)
            except client.exceptions.ThrottlingException:
                pass


if __name__ == "__main__":
    main()
