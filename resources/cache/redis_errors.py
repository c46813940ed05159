"""Why Redis gave no answer. Apart from redis-py, which takes half a second to import."""


class Unreachable(Exception):
    """No answer came in time, or the connection has ended, or Redis accepts no command: no password, loading."""


class Refused(Exception):
    """Redis answers, but refuses this command: out of memory, read-only, no permission."""


class NoScript(Refused):
    """Redis does not know the script any more."""
