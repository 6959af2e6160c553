"""What a command was given and cannot use."""


class BadInput(Exception):
    """The input of a command is not what it reads; the sentence says which line and why."""
