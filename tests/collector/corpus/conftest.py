"""The makers of the corpus need libraries that only their own environments have."""

collect_ignore = ["make"]
