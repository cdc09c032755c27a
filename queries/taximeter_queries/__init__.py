"""Answers over the lake: SQL files and what runs them. Comes with `taximeter[collector]`."""
