# `make demo` and `make test` each set up all they need: Python 3.11 or newer and make are enough.

PYTHON ?= python3
VENV := .venv
DEMO := .venv-demo
INSTALL = uv pip install --quiet --constraint requirements.lock

.PHONY: demo test check format bench bench-collector bench-lander bench-forward survive interop deploy-check test-lowest clean

demo: $(DEMO)/.ready  ## a sample with two SDKs and a coding agent, metered, and the reports that one wants first
	$(DEMO)/bin/taximeter demo

test: $(VENV)/.ready  ## all tests, a file at a time on each core
	$(VENV)/bin/python -m pytest --numprocesses logical --dist loadfile

check: $(VENV)/.ready  ## format, lint and types, as CI checks them
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

format: $(VENV)/.ready  ## what can be put right by itself
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(VENV)/.ready  ## what metering costs, side by side with the other instrumentations
	$(VENV)/bin/python bench/overhead.py
	$(VENV)/bin/python bench/overhead.py taximeter --content
	$(VENV)/bin/python bench/startup.py
	$(VENV)/bin/python bench/emission.py

bench-collector: $(VENV)/.ready  ## what receiving costs; OTELCOL=PATH puts an OpenTelemetry Collector beside it
	. $(VENV)/bin/activate && $(INSTALL) --group bench
	$(VENV)/bin/python bench/collector.py $(if $(OTELCOL),--otelcol $(OTELCOL))
	$(VENV)/bin/python bench/checks.py
	$(VENV)/bin/python bench/http_servers.py
	$(VENV)/bin/python bench/disk.py

bench-lander: $(VENV)/.ready  ## what landing costs, from the wire to the ledger, and where the time goes
	$(VENV)/bin/python bench/lander.py
	$(VENV)/bin/python bench/lander.py --repeated
	$(VENV)/bin/python bench/billing.py
	$(VENV)/bin/python bench/lake.py files
	$(VENV)/bin/python bench/redaction.py

bench-forward: $(VENV)/.ready  ## what forwarding costs, passed through and priced
	$(VENV)/bin/python bench/forward.py

survive: $(VENV)/.ready  ## kill -9 of everything, a full disk, malformed requests, destinations that are down
	$(VENV)/bin/python tests/e2e/kill.py --kills 200
	$(VENV)/bin/python tests/e2e/kill_lander.py --kills 200
	$(VENV)/bin/python tests/e2e/full_disk.py
	$(VENV)/bin/python tests/e2e/malformed.py --requests 100000
	$(VENV)/bin/python tests/e2e/outage.py
	$(VENV)/bin/python tests/e2e/outage.py --kill

interop: $(VENV)/.ready  ## a real OpenTelemetry Collector in front of ours and behind it, and Phoenix behind it; needs Go
	$(VENV)/bin/python tests/interop/run.py
	$(VENV)/bin/python tests/interop/backends.py

deploy-check: $(VENV)/.ready  ## deploy/ read by Helm, Kubernetes' types, Compose, Prometheus, an OpenTelemetry Collector; needs Go
	$(VENV)/bin/python tests/deploy/run.py

test-lowest:  ## the tests of meter, collector and commands on the oldest versions that they allow
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet uv
	. .venv-lowest/bin/activate && uv pip install --quiet --resolution lowest-direct --editable '.[collector]' --group test
	.venv-lowest/bin/python -m pytest tests/instrumentation tests/collector tests/cli --ignore tests/instrumentation/test_adoption.py

$(VENV)/.ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet uv
	. $(VENV)/bin/activate && $(INSTALL) --editable '.[collector]' --group test --group rivals --group second-engine --group check
	touch $@

$(DEMO)/.ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install --quiet uv
	. $(DEMO)/bin/activate && $(INSTALL) --editable '.[collector]' --group demo
	touch $@

clean:
	rm -rf $(VENV) $(DEMO) .venv-lowest dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
