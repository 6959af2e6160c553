"""What a command is called, and whose program that is."""

from posixpath import basename, normpath

from policy.command import PathKind
from policy.path import within
from policy.reading.flow import Flow, resolved
from policy.reading.piece import Word

_SYSTEM = ("/bin", "/sbin", "/usr", "/lib", "/lib64", "/opt", "/nix", "/snap")


def named(word: Word, flow: Flow, home: str | None, workspaces: tuple[str, ...]) -> tuple[str | None, PathKind]:
    """The last part of the normalised path, and where the program lies; a workspace's `rm` is not the system's."""
    if word.text is None:
        return None, "dynamic"
    if "/" not in word.text:
        return word.text, "bare"
    path = resolved(word.text, flow[0], home)
    if path is None:
        return basename(normpath(word.text)), "outside"
    return basename(path), _kind(path, workspaces)


def _kind(path: str, workspaces: tuple[str, ...]) -> PathKind:
    if any(within(path, root) for root in workspaces):
        return "workspace"
    return "system" if any(within(path, root) for root in _SYSTEM) else "outside"
