"""The dialects, a module each."""
