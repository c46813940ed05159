"""Errors of commands that are not errors of the input, the disk or a server."""


class CommandFailed(Exception):
    """A step of a command failed; the message names the step and its reason."""


class Interrupted(Exception):
    """Ctrl-C. click would print an empty line for KeyboardInterrupt."""


class OutputClosed(Exception):
    """The reader of stdout has closed it. click would exit with 1 for BrokenPipeError."""
