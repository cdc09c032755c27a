"""One response of a provider is billed once, however many spans and events tell of it, and however often.

    register = Register.open(folder, landed)           # what is on disk, and what the lake has beyond that
    settled = register.settle(calls, SpanLinks.of(trace_ids, span_ids, parent_span_ids))
    ...                                                # the lake takes the rows and the corrections in one commit
    register.commit()                                  # or `abandon`, if it does not

`semantics` says what is billed; everything else is the same at half a microsecond a view, with what landed before:

    views, columns, fingerprints     a table of calls as arrays of numbers
    register, store                  what is new, what is sent again, what was lost; the folder
    comparison, lineage, gathering   what new views have to do with each other and with what landed before
    judging, outcomes                the rules, and what became of each view; corrections of earlier rows
    index, runs, membership, rows    keys to views, in files

What it cannot see: a span that is no call and that was told of long before the calls below it landed, or before a
restart (`lineage`); calls that are older than it remembers (`Register.open`).
"""

from taximeter_collector.bill.register import Register
from taximeter_collector.bill.settled import Settled, SpanLinks, Superseded
from taximeter_collector.bill.views import CALL_COLUMNS

__all__ = ["CALL_COLUMNS", "Register", "Settled", "SpanLinks", "Superseded"]
