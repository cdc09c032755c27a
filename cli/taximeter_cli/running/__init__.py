"""`taximeter run`: a command, metered, and what it cost."""
