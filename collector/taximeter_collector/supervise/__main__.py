"""`python -m taximeter_collector.supervise WORKER`: how the supervisor starts a worker."""

import sys

from taximeter_collector.supervise.worker import main

sys.exit(main())
