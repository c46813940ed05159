"""Errors that a person can mend: each says what was expected, what was found and what to do next."""


class BadInput(Exception):
    """The input, not the code, is at fault: trying again changes nothing."""


class CannotWrite(Exception):
    """The data folder takes no more: full, read-only or gone. What was there before is untouched."""


class SourceUnreachable(Exception):
    """A server did not answer as it should, for now: trying again later may help."""
