"""How a command fails: one sentence for the person who typed it.

It refuses to know which libraries raise what: a command that calls a library turns its errors into these. The command
line prints them and nothing else, so that no traceback meets a person who made a mistake.
"""


class CommandError(Exception):
    """What went wrong and what to do about it, in one or two sentences that are safe to show."""


class UsageError(CommandError):
    """The command was given something that it cannot take: exit code 2 instead of 1."""
