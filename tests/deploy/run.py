"""deploy/ read by those who will read it: `python tests/deploy/run.py`; needs Go, and some minutes the first time.

Helm lints and renders the chart in every way of access; Kubernetes' own types take what comes out, strictly; the
Compose specification's loader takes the compose file; Prometheus' parser the alerts; an OpenTelemetry Collector its
examples; nginx, where it is installed, its own. As root on Linux, the image's command runs in namespaces of its own
(`contained.py`).

    --otelcol PATH    a Collector with the modules of `otelcol.yaml`; otherwise one is built in `.interop/deploy/`
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BUILD = ROOT / ".interop" / "deploy"
CHART = ROOT / "deploy/helm/taximeter"
EXAMPLES = ROOT / "deploy/examples"
HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.161.0"

_TLS = ("access.tlsSecret=tls", "access.clientCertificates=true")
WAYS = {
    "tokens": ("access.tokensSecret=tokens",),
    "tokens-and-tls": ("access.tokensSecret=tokens", "access.tlsSecret=tls"),
    "client-certificates": _TLS,
    "all-of-them": ("access.tokensSecret=tokens", *_TLS),
    "closed-network": ("access.allowUnauthenticated=true", "networkPolicy.from[0].namespaceSelector.matchLabels.a=b"),
    "several": ("access.tokensSecret=tokens", "replicas=3", "service.type=LoadBalancer", "environmentSecret=keys"),
    "openshift": (
        "access.tokensSecret=tokens",
        *(f"podSecurityContext.{name}=null" for name in ("runAsUser", "runAsGroup", "fsGroup")),
    ),
    "everything-else": (
        "access.tokensSecret=tokens",
        "networkPolicy.enabled=false",
        "imagePullSecrets[0].name=pull",
        "persistence.storageClass=fast",
        "podLabels.a=b",
        "podAnnotations.a=b",
        "service.annotations.a=b",
        "serviceAccount.annotations.a=b",
        "nodeSelector.a=b",
        "tolerations[0].operator=Exists",
        "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=zone",
        "topologySpreadConstraints[0].maxSkew=1",
    ),
}
WRONG = {
    "": "say who may send",
    "access.clientCertificates=true": "needs access.tlsSecret",
    "access.tokenSecret=t": "tokenSecret",
    "access.tokensSecret=t,image.pullPolicy=Sometimes": "/image/pullPolicy",
    "access.tokensSecret=t,persistence.size=much": "/persistence/size",
}
PLACES = {"QUEUE": "/tmp", "BACKEND": "http://localhost:4318", "TAXIMETER": "localhost:4317", "TAXIMETERS": "localhost"}


def installed(name: str, module: str) -> str:
    """A command from its Go module, if it is not here yet."""
    if found := shutil.which(name) or shutil.which(name, path=BUILD):
        return found
    BUILD.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "install", module], env=os.environ | {"GOBIN": str(BUILD)}, check=True)
    return str(BUILD / name)


def checker() -> str:
    """`check/`, built."""
    BUILD.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", str(BUILD / "check"), "."], cwd=HERE / "check", check=True)
    return str(BUILD / "check")


def otelcol() -> str:
    """The Collector of `otelcol.yaml`, built."""
    binary = BUILD / "_build" / "otelcol-deploy"
    if not binary.exists():
        shutil.copy(HERE / "otelcol.yaml", BUILD)
        print("building an OpenTelemetry Collector: this takes some minutes", flush=True)
        subprocess.run(["go", "run", BUILDER, "--config", "otelcol.yaml"], cwd=BUILD, check=True)
    return str(binary)


class Checks:
    """What was found, told as it comes."""

    def __init__(self) -> None:
        self.failed = 0

    def tell(self, what: str, fine: bool, said: str = "") -> None:
        """A line, and what was said if it is not fine."""
        self.failed += not fine
        print(f"{what:60} {'fine' if fine else 'FAILED'}", flush=True)
        if not fine:
            print(said)

    def run(self, what: str, *command: str, **environment: str) -> str:
        """A command that has to end well; what it printed."""
        ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
        self.tell(what, ended.returncode == 0, ended.stdout + ended.stderr)
        return ended.stdout


def chart(checks: Checks, check: str, folder: Path) -> None:
    """Every way of access, rendered and read; what is wrong, told."""
    helm = installed("helm", HELM)
    for name, values in WAYS.items():
        told = [part for value in values for part in ("--set", value)]
        checks.run(f"helm lint --strict, {name}", helm, "lint", "--strict", str(CHART), *told)
        rendered = checks.run(f"helm template, {name}", helm, "template", "a", str(CHART), *told)
        (folder / f"{name}.yaml").write_text(rendered)
        checks.run(f"Kubernetes' types, {name}", check, "manifests", str(folder / f"{name}.yaml"))
    for values, expected in WRONG.items():
        told = ["--set", values] if values else []
        ended = subprocess.run([helm, "template", "a", str(CHART), *told], capture_output=True, text=True)
        checks.tell(f"is told: {expected}", ended.returncode != 0 and expected in ended.stderr, ended.stderr)


def examples(checks: Checks, collector: str, folder: Path) -> None:
    """Those of an OpenTelemetry Collector and nginx."""
    for path in sorted(EXAMPLES.glob("*/otelcol.yaml")):
        checks.run(
            f"otelcol validate, {path.relative_to(ROOT)}", collector, "validate", "--config", str(path), **PLACES
        )
    if nginx := shutil.which("nginx"):
        text = (EXAMPLES / "by-client/nginx.conf").read_text().replace(".example.internal", ".localhost")
        hosts = text.replace("taximeter-0.localhost", "127.0.0.1").replace("taximeter-1.localhost", "127.0.0.1")
        (folder / "nginx.conf").write_text(hosts)
        checks.run("nginx -t, deploy/examples/by-client/nginx.conf", nginx, "-t", "-c", str(folder / "nginx.conf"))
    else:
        print("nginx is not installed, so its example is not checked")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--otelcol", default="")
    chosen = parser.parse_args()
    if not shutil.which("go"):
        print("Go is needed for this: https://go.dev/dl", file=sys.stderr)
        return 2
    checks, check = Checks(), checker()
    with tempfile.TemporaryDirectory() as folder:
        chart(checks, check, Path(folder))
        composed = ROOT / "deploy/compose/compose.yaml"
        checks.run("Compose's loader, deploy/compose/compose.yaml", check, "compose", str(composed))
        checks.run("Prometheus' parser, the alerts", check, "rules", str(EXAMPLES / "prometheus-alerts.yaml"))
        examples(checks, chosen.otelcol or otelcol(), Path(folder))
    if sys.platform == "linux" and os.geteuid() == 0:
        checks.run("the image's command as a container has it", sys.executable, str(HERE / "contained.py"))
    else:
        print("not root on Linux, so the image's command is not run as a container has it")
    print(f"{checks.failed} FAILED" if checks.failed else "PASSED")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
