"""The reports, a module each: what a question is called, and what its columns mean."""
