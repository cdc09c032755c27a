"""pip install mistralai==3.7.0

The spans that the SDK makes by itself, sent to the app's provider.
"""

from __future__ import annotations

import os
from contextlib import suppress

from tests.collector.corpus.make import asking
from tests.collector.corpus.make.capture import Corpus


def main() -> None:
    os.environ["MISTRAL_SDK_TELEMETRY"] = "global"
    from mistralai.client import Mistral

    with Corpus("mistral_sdk", "mistralai") as corpus, Mistral(api_key="k", server_url=corpus.loopback.url) as client:
        asked = {"model": "mistral-large-2512", "messages": asking.QUESTION}
        with corpus.case("plain", "A call, whole."):
            client.chat.complete(**asked)
        with corpus.case("stream", "A streamed call."):
            with client.chat.stream(**asked) as events:
                list(events)
        with corpus.case("tool", "The model calls a tool."):
            client.chat.complete(**asked, tools=[asking.OPENAI_TOOL])
        with corpus.case("error", "The provider had enough."), suppress(Exception):
            client.chat.complete(**{**asked, "model": "mistral-large-2512?status=429"}, retries=None)
        with corpus.case("embeddings", "Embeddings."):
            client.embeddings.create(model="mistral-embed", inputs=["How much?"])


if __name__ == "__main__":
    main()
