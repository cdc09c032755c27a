"""From the journal into the lake: decode, redact, normalise, price, bill once, write; each record exactly once."""
