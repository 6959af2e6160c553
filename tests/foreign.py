"""Images that are not ours, made from nothing: as little as a static busybox, or as much malice as a test wants."""

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from server.sandbox.image_recipe import AGENT as AGENT_IMAGE
from server.sandbox.image_recipe import recipe
from server.sandbox.sandbox import AGENT
from tests.real_engine import client

APPLETS = (
    "sh",
    "ls",
    "cat",
    "id",
    "pwd",
    "env",
    "wget",
    "nslookup",
    "sleep",
    "touch",
    "mkdir",
    "stat",
    "kill",
    "ps",
    "whoami",
)
MUSL = """
FROM sandgate/debian:trixie AS build
RUN printf 'Types: deb-src\\nURIs: %s\\nSuites: trixie\\nComponents: main\\n' \
    "$(sed -n 's/^URIs: //p;s/^deb \\([^ ]*\\) .*/\\1/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1)" \
    >/etc/apt/sources.list.d/source.sources
RUN apt-get -q update && apt-get -q install -y --no-install-recommends bzip2 dpkg-dev gcc libc6-dev linux-libc-dev make musl-tools xz-utils
WORKDIR /build
RUN apt-get -q source --download-only busybox && tar xf busybox_*.orig.tar.* --strip-components=1
RUN make -s defconfig && sed -i 's/CONFIG_TC=y/# CONFIG_TC is not set/' .config && yes '' | make -s oldconfig >/dev/null && \
    make -s CC="musl-gcc -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu" HOSTCC=gcc busybox
FROM scratch
COPY --from=build /build/busybox /bin/busybox
COPY --from=build /usr/lib/x86_64-linux-musl/libc.so /lib/ld-musl-x86_64.so.1
RUN ["/bin/busybox", "--install", "/bin"]
ENV PATH=/bin
"""  # a busybox linked against musl and nothing else; two minutes


def busybox() -> bytes:
    """Debian's static one, which the agent's image has."""
    with client() as api:
        made = api.create_container(recipe(AGENT_IMAGE).tag, ["never"], entrypoint=["never"])["Id"]
        try:
            pieces, _ = api.get_archive(made, AGENT[0])
            with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
                (entry,) = tar
                program = tar.extractfile(entry)
                assert program is not None
                return program.read()
        finally:
            api.remove_container(made, v=True)


def small(shell: bool = True) -> dict[str, bytes | str]:  # noqa: FBT001, FBT002 - named at every call
    """The files of an image with nothing but busybox; a text is a link."""
    names = APPLETS if shell else tuple(name for name in APPLETS if name != "sh")
    return {"bin/busybox": busybox(), **dict.fromkeys((f"bin/{name}" for name in names), "busybox")}


@contextmanager
def built(name: str, dockerfile: str, network: str | None = "none") -> Iterator[str]:
    """An image that a Dockerfile without any file beside it makes, from one that the engine has."""
    tag = f"sandgate-test/{name}"
    with client() as api:
        events = api.build(fileobj=io.BytesIO(dockerfile.encode()), tag=tag, network_mode=network, rm=True, decode=True)
        told = [*events]
        assert not any("error" in event for event in told), told[-3:]
        try:
            yield tag
        finally:
            api.remove_image(tag, force=True)


@contextmanager
def image(name: str, files: Mapping[str, bytes | str], changes: Sequence[str] = ()) -> Iterator[str]:
    """An image of one layer under a name of its own; `changes` are lines of a Dockerfile."""
    tag = f"sandgate-test/{name}"
    with client() as api:
        told = api.import_image_from_data(_tar(files), repository=tag, tag="latest", changes=list(changes))
        assert "error" not in told, told
        try:
            yield tag
        finally:
            api.remove_image(tag, force=True)


def _tar(files: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode = 0o755
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
