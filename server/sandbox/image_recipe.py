"""What an image of ours is made of: its folder, its digest, and the tar that the engine builds it from."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.shipped import shipped

REPOSITORY: Final = "sandgate"
BUILD_LABEL: Final = "sandgate.build"
CA_LABEL: Final = "sandgate.ca"
BASE: Final = "base"
NOT_FOR_SANDBOXES: Final = frozenset({"server", "egress"})  # built from the whole checkout: examples/compose
AGENT: Final = "agent"  # not an environment: what the volume in every sandbox is filled from

_PEM_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_PEM_END: Final = b"-----END CERTIFICATE-----"


class NoSuchImage(Exception):
    """An image was named that has no folder with a Dockerfile."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """`digest` says what the checkout would build; `files` maps names in the build context to their bytes."""

    image: str
    files: dict[str, bytes]

    @property
    def tag(self) -> str:
        return f"{REPOSITORY}/{self.image}:latest"

    @property
    def digest(self) -> str:
        whole = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            whole.update(f"{name}\0{len(content)}\0".encode())
            whole.update(content)
        return whole.hexdigest()


def images_dir() -> Path:
    return shipped("images")


def seccomp_file() -> Path:
    return images_dir() / "seccomp.json"


def known_images(folder: Path | None = None) -> tuple[str, ...]:
    """base first, since the others start from it."""
    found = sorted({path.parent.name for path in (folder or images_dir()).glob("*/Dockerfile")} - NOT_FOR_SANDBOXES)
    return tuple(sorted(found, key=lambda image: image != BASE))


def recipe(image: str, folder: Path | None = None) -> Recipe:
    root = folder or images_dir()
    if image not in known_images(root):
        raise NoSuchImage(f"There is no image called {image!r}: choose from {', '.join(known_images(root))}.")
    sources = [path for part in dict.fromkeys((BASE, image)) for path in sorted((root / part).iterdir())]
    return Recipe(image, {str(path.relative_to(root)): path.read_bytes() for path in sources if path.is_file()})


def ca_digest(bundle: bytes) -> str:
    return hashlib.sha256(bundle).hexdigest()


def context(made: Recipe, ca_bundle: bytes) -> io.BytesIO:
    """The build context as a tar: all root's, the bundle whole and one certificate a file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        folder = tarfile.TarInfo("ca")  # also where it stays empty: the Dockerfile copies it
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        for name, content in sorted(made.files.items()):
            _add(tar, name, content)
        if ca_bundle:
            _add(tar, "ca/bundle.pem", ca_bundle)
        for number, certificate in enumerate(_certificates(ca_bundle)):
            _add(tar, f"ca/{number:04}.crt", certificate)
    out.seek(0)
    return out


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))


def _certificates(bundle: bytes) -> Iterator[bytes]:
    # update-ca-certificates takes one certificate a file and leaves a whole bundle out of the hashed folder.
    for part in bundle.split(_PEM_BEGIN)[1:]:
        body, end, _ = part.partition(_PEM_END)
        if end:
            yield _PEM_BEGIN + body + _PEM_END + b"\n"
