"""pip install opentelemetry-instrumentation-vertexai==2.2b0 google-cloud-aiplatform==2.7.0"""

from __future__ import annotations

from typing import Any

from tests.collector.corpus.make.capture import Corpus

PUBLISHED = "projects/p/locations/us-central1/publishers/google/models/"


def vertex(port: int) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.aiplatform_v1 import PredictionServiceClient
    from google.cloud.aiplatform_v1.services.prediction_service.transports import PredictionServiceRestTransport

    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
    over_rest = PredictionServiceRestTransport(host=f"127.0.0.1:{port}", credentials=nobody, url_scheme="http")
    return PredictionServiceClient(transport=over_rest)


def question(model: str) -> Any:
    from google.cloud.aiplatform_v1.types import Content, GenerateContentRequest, Part

    asked = Content(role="user", parts=[Part(text="How much?")])
    return GenerateContentRequest(model=f"{PUBLISHED}{model}", contents=[asked])


def main() -> None:
    from opentelemetry.instrumentation.vertexai import VertexAIInstrumentor

    with Corpus("conventions", "opentelemetry-instrumentation-vertexai", "google-cloud-aiplatform") as corpus:
        VertexAIInstrumentor().instrument()
        client = vertex(corpus.loopback.port)
        with corpus.case("plain", "A call, whole; thoughts are in no count."):
            client.generate_content(request=question("gemini-2.5-flash"))
        with corpus.case("error", "The provider had enough."):
            try:
                client.generate_content(request=question("gemini-2.5-flash?status=429"), retry=None)
            except Exception as error:
                print(type(error))


if __name__ == "__main__":
    main()
