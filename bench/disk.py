"""What a durable write costs on this disk, by how room for it is made: CPU time, and the time until it is safe.

python bench/disk.py [FOLDER]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

RECORDS, ROUNDS = 300, 3


def main() -> None:
    folder = Path(tempfile.mkdtemp(dir=sys.argv[1] if len(sys.argv) > 1 else None))
    file = folder / "written"
    for size in (392_000, 1_000):
        for way in ("append", "reserve", "overwrite"):
            runs = [_run(file, way, os.urandom(size)) for _ in range(ROUNDS)]
            cpu = statistics.median(run[0] for run in runs)
            wait = statistics.median(run[1] for run in runs)
            print(f"{size:7,} B  {way:10} CPU {cpu * 1e6:6.0f} us a record, sync p50 {wait * 1e6:6.0f} us")
    file.unlink()
    folder.rmdir()


def _run(file: Path, way: str, data: bytes) -> tuple[float, float]:
    """CPU a record, and the median time of a sync."""
    if way != "overwrite":
        file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if way == "overwrite":
            os.write(descriptor, bytes(RECORDS * len(data)))
        elif way == "reserve":
            os.posix_fallocate(descriptor, 0, RECORDS * len(data))
        os.fsync(descriptor)
        os.lseek(descriptor, 0, os.SEEK_SET)
        started, waits = time.process_time(), []
        for _ in range(RECORDS):
            os.write(descriptor, data)
            before = time.perf_counter()
            os.fdatasync(descriptor)
            waits.append(time.perf_counter() - before)
        return (time.process_time() - started) / RECORDS, statistics.median(waits)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
