"""What a command is called, and whose program that is."""

import re
from posixpath import basename, normpath

from policy.command import PathKind
from policy.path import within
from policy.reading.flow import Flow, resolved
from policy.reading.piece import Word

_SYSTEM = ("/bin", "/sbin", "/usr", "/lib", "/lib64", "/opt", "/nix", "/snap")

_NAME = re.compile(r".*/([\w+-][\w.+-]*)", re.DOTALL | re.ASCII)  # behind a folder that is only known at run time
# The kernel's links to what a process runs or holds open: /proc/self/exe is the shell itself.
_LINK = re.compile(r"/proc/[^/]+/(?:task/[^/]+/)?(?:exe|fd/.*|map_files/.*)|/dev/fd/.*")


def named(word: Word, flow: Flow, home: str | None, workspaces: tuple[str, ...]) -> tuple[str | None, PathKind]:
    """The last part of the normalised path, and where the program lies; a workspace's `rm` is not the system's."""
    if word.text is None:
        if (
            word.reason == "glob"
            and (path := _found(word.known, flow, home))
            and _kind(path, workspaces) == "workspace"
        ):
            return basename(path), "workspace"
        name = _NAME.fullmatch(word.ends)
        return (name[1], "outside") if name and not word.splits and word.reason != "glob" else (None, "dynamic")
    if "/" not in word.text:
        return word.text, "bare"
    path = resolved(word.text, flow[0], home)
    if path is None:
        return basename(normpath(word.text)), "outside"
    if _LINK.fullmatch(path):
        return None, "dynamic"
    return basename(path), _kind(path, workspaces)


def _found(pattern: str, flow: Flow, home: str | None) -> str | None:
    """The pattern as a path, wherever the command may start: what it stands for lies in the folder that it names."""
    folder = _WILD.split(pattern)[0].rpartition("/")[0]
    paths = {resolved(pattern, where, home) for where in flow} if folder and ".." not in pattern else {None}
    return paths.pop() if len(paths) == 1 else None


_WILD = re.compile(r"[*?\[{(+@!]")


def _kind(path: str, workspaces: tuple[str, ...]) -> PathKind:
    if any(within(path, root) for root in workspaces):
        return "workspace"
    return "system" if any(within(path, root) for root in _SYSTEM) else "outside"
