"""Processes: one receives, others read; a supervisor starts them, and starts again what dies."""
