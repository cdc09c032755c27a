"""The conservation law: what was accepted is landed, put aside, or unread. For each signal, as an equation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from taximeter_collector.journal.segments import Folder
from taximeter_collector.lake import LakeError
from taximeter_collector.telemetry import metrics
from taximeter_collector.telemetry.exposition import published

from taximeter_cli.doctoring.accounting import TABLE_OF, Account, Accounts, accounts
from taximeter_cli.doctoring.finding import Finding, counted, error, note, ok, warning
from taximeter_cli.doctoring.running import running
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Conservation: accepted = landed + dead letters + unread"

_QUICK_BYTES = 256 << 20


def check(subject: Subject) -> Iterator[Finding]:
    """For the records that are still in the journal; all of them with `--full`, else the newest 256 MiB."""
    config = subject.config
    if not Folder(config.journal.dir).segments():
        yield note("the journal has no records, so there is nothing to compare")
        return
    try:
        found = accounts(config, None if subject.full else _QUICK_BYTES)
    except LakeError as wrong:
        yield error(f"the lake cannot be read, so nothing can be compared: {wrong}", "see the part on the lake above")
        return
    yield _looked_at(found)
    yield from _gaps(found, at_limit=config.journal.at_limit)
    if found.damaged_bytes:
        yield warning(
            f"{found.damaged_bytes:,} bytes of the journal cannot be read; what was in them is in no sum",
            "taximeter journal verify",
        )
    if found.lake_at and max(found.lake_at.values()) >= found.head > 0:
        yield warning(
            f"the lake has position {max(found.lake_at.values()):,} of this journal, which ends at {found.head - 1:,}: "
            "the journal is an older one, as after a restored backup",
            "nothing: at its next start the lander goes on under another name, and nothing is lost or there twice",
        )
    for signal, account in found.by_signal.items():
        yield _equation(signal.name.lower(), account, found.lake_at.get(TABLE_OF[signal], -1))
    if running(config):
        yield from _since_start(config.run_folder)


def _looked_at(found: Accounts) -> Finding:
    passed = f"positions before {found.first:,} have left the journal, when all readers had passed them; "
    told = passed if found.first else ""
    told += f"{counted(found.records, 'record')} from {found.first:,} to {max(found.head - 1, 0):,} in it, "
    told += f"the lander is at {found.cursor:,}"
    facts = {"first": found.first, "cursor": found.cursor, "head": found.head, "records": found.records}
    if found.left_out:
        return note(f"{told}; {counted(found.left_out, 'older segment')} not read", "--full reads all", **facts)
    return ok(told, **facts)


def _gaps(found: Accounts, at_limit: str) -> Iterator[Finding]:
    if not found.gaps:
        return
    count = sum(last - first + 1 for first, last in found.gaps)
    told = ", ".join(f"{first:,} to {last:,}" for first, last in found.gaps[:5])
    facts = {"positions": count, "gaps": [list(gap) for gap in found.gaps[:100]]}
    if at_limit == "drop-oldest":
        yield warning(
            f"{counted(count, 'unread position')} in no segment: {told}. Deleted at the journal's limit "
            "(journal.at_limit), or a file is gone",
            "taximeter journal ls; raise journal.max_size",
            **facts,
        )
    else:
        yield error(
            f"{counted(count, 'unread position')} in no segment: {told}. A file of the journal is gone or damaged; or "
            "the disk failed as they were written, and then senders were told",
            "restore the file before the lander has passed it: taximeter journal ls shows which there are",
            **facts,
        )


def _equation(name: str, account: Account, lake_at: int) -> Finding:
    parts = [
        ("landed", account.landed),
        ("dead letters", account.dead_letters),
        ("unread", account.unread),
        ("landed on days that were dropped", account.dropped),
        ("missing", sum(account.missing.values())),
    ]
    shown = [f"{count:,} {what}" for place, (what, count) in enumerate(parts) if count or place < 3]
    told = f"{name}: {account.accepted:,} accepted = {' + '.join(shown)}"
    facts = {"signal": name, "accepted": account.accepted, **{what.replace(" ", "_"): count for what, count in parts}}
    facts["records_missing"] = list(account.missing)[:100]
    if account.surplus:
        rows = sum(account.surplus.values())
        return error(
            f"{told}; and {rows:,} rows more than were accepted, of the records {_some(account.surplus)}",
            "taximeter lake verify; report it, with `taximeter doctor --full --bundle FILE.zip`",
            **facts,
        )
    if account.missing:
        return error(f"{told}, of the records {_some(account.missing)}", _again(account, lake_at), **facts)
    return ok(told, **facts)


def _again(account: Account, lake_at: int) -> str:
    if min(account.missing) > lake_at:
        return (
            f"the lake has landed up to {lake_at:,} only, as one that was restored or removed. Stop the collector, "
            "`taximeter journal forget lander`, and start it: what the journal has is landed again, and nothing twice"
        )
    return (
        "the lake has landed them by its own word, so files of it were lost: `taximeter lake verify`, and a backup. "
        "The requests are still in the journal: taximeter journal cat --from POSITION --limit 1"
    )


def _some(positions: dict[int, int]) -> str:
    told = ", ".join(f"{position:,}" for position in list(positions)[:5])
    return told + (f" and {len(positions) - 5:,} more" if len(positions) > 5 else "")


def _since_start(run_folder: object) -> Iterator[Finding]:
    """What the processes that run have counted."""
    from pathlib import Path

    accepted: Counter[str] = Counter()
    landed: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for name, labels, value in published(Path(str(run_folder))):
        if name == metrics.ACCEPTED_ITEMS.name:
            accepted[labels[1]] += int(value)
        elif name == metrics.LANDED_ITEMS.name:
            landed[labels[0]] += int(value)
        elif name in (metrics.DEAD_LETTERS.name, metrics.PROCESS_RESTARTS.name, metrics.JOURNAL_DROPPED.name):
            others[name] += int(value)
    told = "; ".join(
        f"{name} {accepted[name]:,} accepted, {landed[name]:,} landed" for name in sorted(accepted | landed)
    )
    told += f"; {others[metrics.DEAD_LETTERS.name]:,} requests put aside" if told else "nothing"
    told += f", {others[metrics.PROCESS_RESTARTS.name]:,} restarts" if others[metrics.PROCESS_RESTARTS.name] else ""
    yield ok(
        f"counted since the processes began, a few seconds ago: {told}",
        accepted=dict(accepted),
        landed=dict(landed),
        dead_letters=others[metrics.DEAD_LETTERS.name],
        restarts=others[metrics.PROCESS_RESTARTS.name],
        dropped_records=others[metrics.JOURNAL_DROPPED.name],
    )
