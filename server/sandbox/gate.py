"""The gate as sandboxes use it: a listener each, the certificates to trust, the list bound at the claim.

Nothing here holds a command up: the gate is told in the background, and until it knows a sandbox it refuses it.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.abc

from server.sandbox.egress_link import AllowEntry, EgressLink, GateDown, GateRefused
from server.sandbox.placeholders import Placeholders

log = logging.getLogger("sandgate.egress")

SOCKET, BUNDLE = "egress.sock", "ca.pem"
ENDS_S = 0.1  # so long a call that has ended may still be named
JAVA_STORE = "java.p12"  # the gate writes it beside its certificate
PROXY = "http://127.0.0.1:3128"  # the agent's relay, for programs that prefer to be told
NO_PROXY = "localhost,.localhost,127.0.0.0/8,::1"
TRUST_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL, Go, Rust, httpx
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "DENO_CERT",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NIX_SSL_CERT_FILE",
)
JAVA_OPTIONS = "JAVA_TOOL_OPTIONS"  # always set, for nobody else reads it and a JDK may come later


def variables(link_dir: str) -> Mapping[str, str]:
    """What commands find in their environment: certificates to trust, and the proxy."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), PROXY)
    trust = dict.fromkeys(TRUST_VARIABLES, f"{link_dir}/{BUNDLE}")
    java = {JAVA_OPTIONS: f"-Djavax.net.ssl.trustStore={link_dir}/{JAVA_STORE}"}
    return {**proxies, **trust, **java, "NO_PROXY": NO_PROXY, "no_proxy": NO_PROXY}


def added(image: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """An image's variables and ours over them; what it tells its Java stays in force, for that is a list."""
    both = {**image, **ours}
    if JAVA_OPTIONS in image and JAVA_OPTIONS in ours:
        both[JAVA_OPTIONS] = f"{image[JAVA_OPTIONS]} {ours[JAVA_OPTIONS]}"
    return both


@dataclass
class _Attached:
    lent: Mapping[str, str]  # secret to placeholder
    opened: anyio.Event = field(default_factory=anyio.Event)
    decisions: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    ends: bool = False  # a call has ended, and that is about to be told


class Gate:
    """One EgressLink for all sandboxes below `directory`. `authority` is where the gate keeps its certificate."""

    def __init__(
        self,
        link: EgressLink,
        directory: Path,
        authority: Path,
        roots: Path | None,
        tasks: anyio.abc.TaskGroup,
        placeholders: Placeholders | None = None,
    ) -> None:
        self._link, self._directory, self._authority, self._roots, self._tasks = (
            link,
            directory,
            authority,
            roots,
            tasks,
        )
        self._placeholders = placeholders or Placeholders()
        self._attached: dict[str, _Attached] = {}

    def expect(self) -> None:
        """A sandbox is on its way. What it would have to wait for in the installation's very first start begins now."""
        if not self._has_trust():
            self._link.start()

    def _has_trust(self) -> bool:
        """Both: another server's gate, in its very first start, may have made the one and be at the other."""
        return self._authority.exists() and self._java_store.exists()

    @property
    def _java_store(self) -> Path:
        return self._authority.with_name(JAVA_STORE)

    async def attach(
        self, sandbox_id: str, allow: tuple[AllowEntry, ...] | None, lent_as: str = "", secrets: tuple[str, ...] = ()
    ) -> None:
        """Give a new sandbox its listener, and its list where it is claimed already. lent_as, secrets: see SandboxSpec.

        Returns at once, except in the installation's very first start, whose certificate has to be made; until the gate
        listens, the sandbox's relay holds what its programs send.
        """
        attached = self._attached[sandbox_id] = _Attached(self._placeholders.by_name(lent_as or sandbox_id, secrets))
        self._link.start()
        if not self._has_trust():
            with suppress(GateDown):
                await self._link.trusted()
        self._write_trust(sandbox_id)
        self._tasks.start_soon(self._open, sandbox_id, allow, attached)

    async def _open(self, sandbox_id: str, allow: tuple[AllowEntry, ...] | None, attached: _Attached) -> None:
        if sandbox_id not in self._attached:
            return  # detached before its turn came
        try:
            socket = self._directory / sandbox_id / SOCKET
            await self._link.open(sandbox_id, socket, allow, attached.lent, attached.decisions)
        except (GateDown, GateRefused):
            pass  # the link tries on by itself; until then this sandbox has no network
        else:
            with suppress(OSError):  # the sandbox ended meanwhile, or there is no room: what it was given stays
                self._write_trust(sandbox_id)  # a gate that is newly up may have renewed the store of Java's
        finally:
            attached.opened.set()

    def _write_trust(self, sandbox_id: str) -> None:
        """The gate's certificate, and the system's for what passes it untouched; a file that is there stays the same one."""
        folder = self._directory / sandbox_id
        roots = (self._roots,) if self._roots is not None else ()
        for name, sources in ((BUNDLE, (self._authority, *roots)), (JAVA_STORE, (self._java_store,))):
            content = b"".join(source.read_bytes() for source in sources if source.exists())
            if not _says(folder / name, content):
                new = folder / f".{name}"
                new.write_bytes(content)
                new.chmod(0o644)  # whatever this process's umask is
                new.replace(folder / name)  # whole, for a program may be reading it

    def bind(self, sandbox_id: str, allow: tuple[AllowEntry, ...]) -> None:
        """Say what a sandbox may reach; it holds from the next request on."""
        self._tasks.start_soon(self._bind, sandbox_id, allow)

    async def _bind(self, sandbox_id: str, allow: tuple[AllowEntry, ...]) -> None:
        attached = self._attached.get(sandbox_id)
        if attached is None:
            return
        await attached.opened.wait()
        try:
            await self._link.bind(sandbox_id, allow)
        except GateRefused as exc:
            log.warning("the gate does not take the list of hosts, so nothing leaves: %s", exc)
        except GateDown:
            return  # the link tells the next process; unbound means refused

    def calls(self, sandbox_id: str, decisions: tuple[str, ...]) -> None:
        """Whose flows come next from that sandbox.

        A call that begins is told at once; one that ended with the next that begins, or a moment later: to wake the gate
        for it would hold up that very call's answer.
        """
        attached = self._attached.get(sandbox_id)
        if attached is None:
            return
        begins = not set(decisions) <= set(attached.decisions)
        attached.decisions = decisions
        if begins:
            self._tell_calls(sandbox_id, attached)
        elif not attached.ends:
            attached.ends = True
            self._tasks.start_soon(self._tell_ends, sandbox_id, attached)

    async def _tell_ends(self, sandbox_id: str, attached: _Attached) -> None:
        await anyio.sleep(ENDS_S)
        attached.ends = False
        if self._attached.get(sandbox_id) is attached and attached.told != attached.decisions:
            self._tell_calls(sandbox_id, attached)

    def _tell_calls(self, sandbox_id: str, attached: _Attached) -> None:
        attached.told = attached.decisions
        self._link.calls(sandbox_id, attached.decisions)

    async def detach(self, sandbox_id: str) -> None:
        if self._attached.pop(sandbox_id, None):
            await self._link.close(sandbox_id)


def _says(file: Path, content: bytes) -> bool:
    return file.exists() and file.read_bytes() == content
