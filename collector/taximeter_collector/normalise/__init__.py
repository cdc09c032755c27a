"""Any dialect of GenAI telemetry to one set of columns: the dialects are tables, a file each."""
