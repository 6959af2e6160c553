"""What `sandgate` says where it does not understand what was typed, and how single words of it are read."""

import argparse
import sys
from typing import Any, Final, NoReturn

LAST_PORT: Final = 65535


class BadUsage(Exception):
    """What was typed is not what the command takes, which only the command could see; it ends as where the parser does."""


class Words(argparse.ArgumentParser):
    """Who types a command that needs another word reads which there are; else what was wrong, and where to look."""

    def error(self, message: str) -> NoReturn:
        lacks_word = message.endswith("required: COMMAND")
        said = self.format_help() if lacks_word else self.format_usage()
        hint = "" if lacks_word else f"`{self.prog} --help` says more\n"
        self.exit(2, f"{said}{self.prog}: error: {message}\n{hint}")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # argparse has it overloaded
        """A word too many is said by the command that it stands after; argparse leaves that to the outermost."""
        known, unread = super().parse_known_args(args, namespace)
        if unread:
            self.error(f"unrecognized arguments: {' '.join(unread)}")
        return known, unread


class Version(argparse.Action):
    """--version. What it says is looked up when it is asked for, which takes as long as all of `--help`."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(f"sandgate {version('sandgate')}\n")
        parser.exit()


def address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8765")
    return host.strip("[]") or "127.0.0.1", int(port)


def count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def word(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; leave it out, or write a name")
    return text


def days(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 <= found < 1e6:  # noqa: PLR2004 - a few thousand years; also not a number
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days")
    return found
