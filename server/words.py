"""What `sandgate` says where it does not understand what was typed."""

import argparse
from typing import Any, NoReturn


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
