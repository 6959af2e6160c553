"""The console script. All but this is imported where Ctrl-C ends the process at once, without a word."""

from server.interrupts import ends_at_once


def main() -> int:
    with ends_at_once():
        from server.cli import main as command  # noqa: PLC0415 - it takes a tenth of a second
    return command()
