"""An HTTPS origin of the tests' own that serves what package managers and git take, as files: one package named brass."""

import base64
import functools
import hashlib
import http.server
import io
import json
import shlex
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mcp import Client

from tests.egress.world.certificates import FakeAuthority
from tests.end_to_end.rig import believed, structured, text_of
from tests.loopback_http import answering
from tests.real_git import git, repository

HOST = "pkgs.test"
HELLO = "hello from the shop"
NO_PROXY = "env -u HTTP_PROXY -u HTTPS_PROXY -u http_proxy -u https_proxy"
NOTHING = 'env -i PATH="$PATH" HOME="$HOME"'


@dataclass(frozen=True, slots=True)
class Shop:
    """Where it listens, whom to believe about it, and what it was asked for: methods and targets."""

    port: int
    authority: Path
    asked: list[str]

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    def settings(self, environment: str) -> str:
        """Of a server whose sandboxes may come here, and whose gate believes the shop."""
        return (
            f'environment = "{environment}"\n[policy]\nprofile = "open"\n[egress]\nallow = ["{HOST}:{self.port}"]\n'
            f"{believed(self.authority, HOST)}"
        )


async def said(client: Client, shop: Shop, script: str, prefix: str = "") -> str:
    """What a script prints. In it SHOP is the shop, NEW a folder made for it; `prefix` is the `env` that it runs under."""
    told = shlex.quote(script.replace("SHOP", shop.url))
    command = f'set -e; new=$(mktemp -d); script={told}; {prefix} bash -c "${{script//NEW/$new}}" 2>&1'
    result = await client.call_tool("shell", {"command": command, "timeout_s": 60})
    return text_of(result) if result.is_error else str(structured(result)["stdout"])


@contextmanager
def open_shop(folder: Path) -> Iterator[Shop]:
    """Until left. `folder` holds its wares, its authority and its key."""
    asked: list[str] = []
    authority, wares = FakeAuthority(folder), folder / "wares"
    serve = functools.partial(_Counter, directory=str(wares), asked=asked)
    tls = authority.context(HOST, protocols=("http/1.1",))
    with answering(serve, tls) as port:
        shop = Shop(port, authority.path, asked)
        _stock(wares, shop.url)
        yield shop


class _Counter(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, asked: list[str], directory: str) -> None:
        self._asked = asked
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]  # http.server's three

    def end_headers(self) -> None:
        """What has a version in its name never changes, and says so, as an index's files do."""
        if self.path.endswith((".whl", ".tgz")):
            self.send_header("Cache-Control", "max-age=31536000, immutable")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        if args:
            self._asked.append(str(args[0]))


def _stock(wares: Path, url: str) -> None:
    files = {
        "hello": HELLO.encode(),
        "brass-1.0-py3-none-any.whl": _wheel(),
        "brass-1.0.0.tgz": (tarball := _tarball()),
        "simple/brass/index.html": b'<a href="/brass-1.0-py3-none-any.whl">brass-1.0-py3-none-any.whl</a>',
        "npm/brass": _packument(url, tarball),
        "debian/pool/brass_1.0_all.deb": (package := b"the bytes of a package"),
        "debian/dists/stable/main/binary-amd64/Packages": (packages := _packages(package)),
        "debian/dists/stable/Release": _release(packages),
    }
    for name, content in files.items():
        (wares / name).parent.mkdir(parents=True, exist_ok=True)
        (wares / name).write_bytes(content)
    repository(wares / "brass", {"README": HELLO})
    git(wares, "clone", "-q", "--bare", "brass", "brass.git")
    git(wares / "brass.git", "update-server-info")


def _wheel() -> bytes:
    about = "Metadata-Version: 2.1\nName: brass\nVersion: 1.0\n"
    how = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {"brass.py": f"print({HELLO!r})\n", "brass-1.0.dist-info/METADATA": about, "brass-1.0.dist-info/WHEEL": how}
    record = "".join(f"{name},,\n" for name in (*files, "brass-1.0.dist-info/RECORD"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in {**files, "brass-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    return out.getvalue()


def _tarball() -> bytes:
    out = io.BytesIO()
    files = {"package.json": '{"name": "brass", "version": "1.0.0"}', "index.js": f"console.log({json.dumps(HELLO)})"}
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def _packument(url: str, tarball: bytes) -> bytes:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    dist = {"tarball": f"{url}/brass-1.0.0.tgz", "integrity": integrity}
    version = {"name": "brass", "version": "1.0.0", "dist": dist}
    return json.dumps({"name": "brass", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}).encode()


def _packages(package: bytes) -> bytes:
    digest = hashlib.sha256(package).hexdigest()
    return (
        f"Package: brass\nVersion: 1.0\nArchitecture: all\nMaintainer: test <test@example.org>\n"
        f"Filename: pool/brass_1.0_all.deb\nSize: {len(package)}\nSHA256: {digest}\nDescription: brass\n\n"
    ).encode()


def _release(packages: bytes) -> bytes:
    digest = hashlib.sha256(packages).hexdigest()
    return (
        "Suite: stable\nCodename: stable\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nArchitectures: amd64 all\nComponents: main\n"
        f"SHA256:\n {digest} {len(packages)} main/binary-amd64/Packages\n"
    ).encode()
