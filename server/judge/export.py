"""The policy as a bundle that an OPA server loads: our rules, the operator's data and their own rules, and one revision."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

from server.judge.bundle import Bundle

ROOTS = ("sandgate", "sandgate_config", "sandgate_custom")


def bundle_files(bundle: Bundle, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name in the bundle and content of each file. `folder`: where the bundle's own modules were read from."""
    manifest = {"revision": bundle.revision, "roots": list(ROOTS), "rego_version": 1}
    yield ".manifest", _json(manifest)
    for name, text in sorted(bundle.modules.items()):
        yield f"sandgate/{Path(name).relative_to(folder)}", text.encode()
    for number, (name, text) in enumerate(sorted(bundle.custom.items())):
        yield f"sandgate_custom/{number}_{Path(name).name}", text.encode()
    merged: dict[str, object] = {}
    for document in bundle.configured(bundle.settings):
        _merge(merged, document)
    yield "data.json", _json(merged)


def write_bundle(bundle: Bundle, folder: Path, out: Path) -> None:
    """A bundle.tar.gz; the same policy gives the same bytes. Raises OSError."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in bundle_files(bundle, folder):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    out.write_bytes(gzip.compress(packed.getvalue(), mtime=0))


def _merge(below: dict[str, object], above: object) -> None:
    assert isinstance(above, dict)  # noqa: S101 - documents are objects: the bundle was read so
    for name, value in above.items():
        inner = below.get(name)
        if isinstance(inner, dict) and isinstance(value, dict):
            _merge(inner, value)
        else:
            below[name] = json.loads(json.dumps(value))  # never a part shared with the engine's own


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True).encode()
