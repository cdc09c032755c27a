"""What is looked at, a module each: a TITLE, and `check`, from a subject to findings."""
