"""The settings, and the files that they name: what `taximeter config check` looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from taximeter_cli.doctoring.finding import Finding, error, ok
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Settings"


def check(subject: Subject) -> Iterator[Finding]:
    """Each problem is one finding."""
    from taximeter_cli.configure import problems_of_files

    for problem in subject.problems:
        yield error(problem, "put it right; `taximeter config check` says so when it is")
    if subject.configuration is None:
        return
    found = list(problems_of_files(subject.configuration.config))
    for problem in found:
        yield error(problem, "put it right; `taximeter config check` says so when it is")
    if not found and not subject.problems:
        origins = Counter(subject.configuration.origins.values())
        told = ", ".join(f"{count} from {origin}" for origin, count in sorted(origins.items())) or "all as they come"
        yield ok(f"{told}; `taximeter config show` prints them", origins=dict(origins))
