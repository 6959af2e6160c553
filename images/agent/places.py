"""What commands expect to find and an image may lack: their folders, their user's name, a shell, whom to trust.

The agent is root without a capability: it may write where root may, and can give nothing away. So a folder is made by
the user itself inside one that is open to all, and then moved to its place.
"""

import contextlib
import os

import kernel

WORKSPACE = "/workspace"
SHARED = ("/tmp", "/var/tmp")  # noqa: S108 - the sandbox's own
SHELLS = ("/bin/bash", "/bin/sh")
PASSWD, MOST_PASSWD = "/etc/passwd", 1 << 20
LOOKED_UP = {  # the engine writes them with a network, and there is none
    "/etc/hosts": b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    "/etc/resolv.conf": b"nameserver 127.0.0.1\n",  # the relay's: names lead to the gate
}
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
BUNDLE = "/run/sandgate/ca.pem"  # the gate's certificate and the host's
STORES = (  # where programs look that no variable reaches: GnuTLS, apt, libcurl in other programs, `env -i`
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",
)


def provide(user: kernel.AsUser, home: str) -> None:
    """Make what is not there. What cannot be made is left for the commands that need it to complain about."""
    for path in SHARED:
        with contextlib.suppress(OSError):
            _make(path, 0o1777)
    for path, mode in ((WORKSPACE, 0o755), (home, 0o700)):
        with contextlib.suppress(OSError):
            _make_for(user, path, mode)
    with contextlib.suppress(OSError):
        _name(user, home)
    for path, content in LOOKED_UP.items():
        with contextlib.suppress(OSError):
            _write(path, content, os.O_TRUNC)
    for path in STORES:
        with contextlib.suppress(OSError):
            _lead_to(BUNDLE, path)


def shell() -> str:
    """The best that the image has; empty where it has none."""
    return next((path for path in SHELLS if os.access(path, os.X_OK)), "")


def _make(path: str, mode: int) -> None:
    """A folder of root's, and those above it; never through a link, which could lead anywhere."""
    if os.path.lexists(path):
        return
    parent = os.path.dirname(path)
    if parent != "/":
        _make(parent, 0o755)
    if os.path.realpath(parent) != parent:
        return
    os.mkdir(path)
    os.chmod(path, mode)  # whatever the umask took away


def _make_for(user: kernel.AsUser, path: str, mode: int) -> None:
    if os.path.lexists(path):
        return
    parent = os.path.dirname(path)
    _make(parent, 0o755)
    if os.path.realpath(parent) != parent:
        return
    try:
        with user:
            os.mkdir(path, mode)
    except PermissionError:
        _move_in(user, path, mode)


def _move_in(user: kernel.AsUser, path: str, mode: int) -> None:
    """Root moves a folder that is not its own only while that is open to all: its `..` changes."""
    staging = os.path.join(os.path.dirname(path), ".sandgate")
    made = os.path.join(staging, "new")
    _make(staging, 0o777)
    try:
        with user:
            os.mkdir(made)
            os.chmod(made, 0o777)  # noqa: S103 - for one rename, inside a sandbox that nobody uses yet
        os.rename(made, path)
        with user:
            os.chmod(path, mode)
    finally:
        os.rmdir(staging)


def _name(user: kernel.AsUser, home: str) -> None:
    """A line in the list of users, where the image knows nobody of that number: whoami, ssh and node ask there."""
    known = b""
    with contextlib.suppress(FileNotFoundError):
        known = _read(PASSWD, MOST_PASSWD)  # only read where it is known: to open it for writing copies it, to the disk
    if b":%d:" % user.uid not in known:
        gap = "" if not known or known.endswith(b"\n") else "\n"
        line = f"{gap}agent:x:{user.uid}:{user.gid}:agent:{home}:{shell()}\n"
        _write(PASSWD, line.encode(), os.O_APPEND)


def _read(path: str, most: int) -> bytes:
    handle = os.open(path, os.O_RDONLY | _PLAIN)
    try:
        return os.read(handle, most)
    finally:
        os.close(handle)


def _write(path: str, content: bytes, how: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | how | _PLAIN, 0o644)
    try:
        os.write(handle, content)
        os.fchmod(handle, 0o644)  # an empty one of the engine's is 0755
    finally:
        os.close(handle)


def _lead_to(bundle: str, store: str) -> None:
    """A link in the place of an image's own certificates; where it has none, nobody looks there."""
    folder = os.path.dirname(store)
    if not os.path.lexists(store) or os.path.realpath(folder) != folder:
        return
    if not os.path.islink(store) or os.readlink(store) != bundle:
        staging = os.path.join(folder, ".sandgate")
        os.symlink(bundle, staging)
        os.rename(staging, store)
