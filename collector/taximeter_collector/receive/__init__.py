"""OTLP in: gRPC and HTTP, to the journal. The only room that talks to senders."""

import os

# gRPC writes lines of its own form to stderr, one for each broken connection; it reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
