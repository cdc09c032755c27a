"""`taximeter demo`: a sample of everything that is metered, and the reports that one would want first."""
