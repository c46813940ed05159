"""Errors that a user can fix: each message says what was expected, what was found and what to do."""


class BadInput(Exception):
    """The input is wrong, not the code: a retry changes nothing."""


class CannotWrite(Exception):
    """The data folder is full, read-only or missing. What was in it before is unchanged."""


class SourceUnreachable(Exception):
    """A server does not respond or fails for now: a later retry may succeed."""
