"""OTLP in: gRPC and HTTP, to the journal. The only room that talks to senders."""
