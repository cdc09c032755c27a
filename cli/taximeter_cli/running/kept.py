"""A collector of `taximeter run`: `python -m taximeter_cli.running.kept FOLDER collect ...`.

Who leases it stops it when they end. Those that were killed cannot; then it ends by itself.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

from taximeter_collector.supervise.supervisor import PLACES

from taximeter_cli.main import main
from taximeter_cli.running.lease import alone, is_leased

_LOOK_EVERY_S = 2.0
_FIRST_S = 20.0
"""Until the first lease is there, at the latest."""
_END = signal.SIGINT if sys.platform == "win32" else signal.SIGTERM
"""What a collector follows; on Windows, SIGTERM would end it without a drain."""


def _end_when_nobody_is_left(run_folder: Path) -> None:
    time.sleep(_FIRST_S)
    while True:
        time.sleep(_LOOK_EVERY_S)
        if not is_leased(run_folder):
            with alone(run_folder):  # whoever comes now waits, and starts another
                if not is_leased(run_folder):
                    (run_folder / PLACES).unlink(missing_ok=True)
                    signal.raise_signal(_END)
                    return


if __name__ == "__main__":
    threading.Thread(target=_end_when_nobody_is_left, args=(Path(sys.argv[1]),), daemon=True).start()
    sys.exit(main(sys.argv[2:]))
