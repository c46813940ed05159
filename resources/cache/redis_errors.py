"""Errors of Redis, without the import of redis-py, which takes half a second."""


class Unreachable(Exception):
    """Redis did not answer in time, the connection was closed, or Redis accepts no commands (no password, loading)."""


class Refused(Exception):
    """Redis refused the command: out of memory, read-only or no permission."""


class NoScript(Refused):
    """Redis no longer has the script."""
