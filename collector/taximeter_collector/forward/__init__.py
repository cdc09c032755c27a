"""From the journal to the backends that people have: a process for each destination, with a cursor of its own."""
