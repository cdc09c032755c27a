"""Nothing that a test switches on sends anything anywhere, unless the test says where to."""

import os

for _signal in ("TRACES", "METRICS", "LOGS"):
    os.environ.setdefault(f"OTEL_{_signal}_EXPORTER", "none")
