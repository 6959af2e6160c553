"""The user's own settings file, changed with its comments kept and in one step."""

from pathlib import Path

import tomlkit
from tomlkit import TOMLDocument

from server.ops.install import replace_file


class NotSaved(Exception):
    """The settings file could not be changed; the sentence says why."""


def parsed(path: Path) -> TOMLDocument:
    """What is in it; an empty document where it is not there. Raises NotSaved."""
    try:
        return tomlkit.parse(path.read_bytes().decode())  # bytes: the ends of its lines stay as they are
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, ValueError) as exc:
        raise NotSaved(f"{path} cannot be read ({exc}); nothing was changed") from exc


def save(path: Path, text: str) -> None:
    """So that no server reads half of it; a link into someone's dotfiles stays a link. Raises NotSaved."""
    target = path.resolve()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(target, text)
    except OSError as exc:
        raise NotSaved(f"{path} cannot be written ({exc.strerror}); nothing was changed") from exc
