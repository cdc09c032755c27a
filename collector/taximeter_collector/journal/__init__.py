"""What was accepted, on disk: one writer appends export requests, readers pass over them at their own pace.

>>> import tempfile, threading
>>> from pathlib import Path
>>> folder, durable = Path(tempfile.mkdtemp()) / "journal", threading.Event()
>>> journal = JournalWriter(JournalConfig(dir=folder), settled=lambda entries: durable.set())
>>> journal.append(Entry(Signal.TRACES, 1, "", b"an export request"))
>>> durable.wait(10)
True
>>> reader = JournalReader(folder, "example")
>>> [record.payload for record in reader.read(max_bytes=1 << 20)]
[b'an export request']
>>> reader.commit(0)
>>> journal.close()
"""

from taximeter_collector.journal.config import JournalConfig
from taximeter_collector.journal.errors import JournalClosed, JournalError, JournalFailed, JournalFull
from taximeter_collector.journal.format import Record, Signal
from taximeter_collector.journal.reader import JournalReader, Source
from taximeter_collector.journal.writer import Entry, JournalWriter

__all__ = [
    "Entry",
    "JournalClosed",
    "JournalConfig",
    "JournalError",
    "JournalFailed",
    "JournalFull",
    "JournalReader",
    "JournalWriter",
    "Record",
    "Signal",
    "Source",
]
