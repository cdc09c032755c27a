"""The `taximeter` command."""
