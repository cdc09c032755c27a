"""The wire APIs that the meter reads, one module each; `docs/dialects.md` shows how to add one."""
