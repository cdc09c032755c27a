"""What can be wrong with a journal."""

from __future__ import annotations

__all__ = ["JournalClosed", "JournalError", "JournalFailed", "JournalFull", "UnknownVersion"]


class JournalError(Exception):
    """A journal cannot be used as asked; the sentence is for a person.

    JournalError
    ├── JournalFull      there is no room: the disk is full, or a limit is reached; it can be tried again later
    ├── JournalFailed    the disk did not do as told; it can be tried again
    ├── JournalClosed    nothing is taken in any more
    └── UnknownVersion   a segment was written by a later Taximeter, and is left alone
    """


class JournalFull(JournalError):
    """There is no room: the disk is full, or a limit is reached."""


class JournalFailed(JournalError):
    """The disk did not do as told."""


class JournalClosed(JournalError):
    """Nothing is taken in any more."""


class UnknownVersion(JournalError):
    """A segment was written by a later Taximeter."""
