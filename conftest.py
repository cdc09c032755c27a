"""What the tests run in is theirs alone: nothing is sent anywhere unless a test says so, and signals are heard.

Examples are the same in each run, and no example has a time: a test that fails does so for what was changed. Others are
looked for by `pytest --hypothesis-profile=searching`.
"""

import os
import signal

from hypothesis import HealthCheck, settings

_REPEATED = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeated", _REPEATED)
settings.register_profile("searching", _REPEATED, derandomize=False)
settings.load_profile("repeated")

for _signal in ("TRACES", "METRICS", "LOGS"):
    os.environ.setdefault(f"OTEL_{_signal}_EXPORTER", "none")

# Whatever a shell has put in the background, or nohup has started, ignores these, and so would all that tests start.
for _name in ("SIGINT", "SIGQUIT", "SIGHUP"):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _name == "SIGINT" else signal.SIG_DFL)
