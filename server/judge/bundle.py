"""The rules as they lie on disk: Rego modules, the tables beside them, their tests, and samples with known answers."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.judge.engine import Engine, EngineTrouble
from server.judge.linked import in_files, linked
from server.judge.operator_settings import SettingsError, rego_settings
from server.judge.rego_lint import faults
from server.judge.samples import Sample, samples

_TEST = "_test.rego"


class BundleError(Exception):
    """The policy cannot be used; the text is one sentence that names the file and what is wrong in it."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Texts by path: our `modules`, the operator's `custom` ones, and our `tests`; `documents` are merged into `data`.

    `linked` says what `modules` say, as one module for the embedded engine.
    """

    modules: Mapping[str, str]
    linked: Mapping[str, str]
    custom: Mapping[str, str]
    tests: Mapping[str, str]
    documents: Sequence[Mapping[str, Any]]
    samples: tuple[Sample, ...]
    revision: str  # of all of it
    settings: Mapping[str, Any] = field(default_factory=dict)

    def configured(self, settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The documents with these settings of an operator under data.sandgate_config. Raises BundleError."""
        try:
            return [*self.documents, {"sandgate_config": rego_settings(settings, self.revision)}]
        except SettingsError as error:
            raise BundleError(str(error)) from None

    def blame(self, trouble: str) -> str:
        """What the engine said when it loaded these, of the file itself where that is wrong alone too."""
        for name, text in self.modules.items():
            try:
                Engine({name: text}, ())
            except EngineTrouble as found:
                return str(found)
        return in_files(trouble, self.loaded())

    def loaded(self) -> Mapping[str, str]:
        """What the embedded engine is given. An operator's rules may name any of ours, so beside them ours stay as they are."""
        return {**self.modules, **self.custom} if self.custom else self.linked


def read_bundle(
    folder: Path, settings: Mapping[str, Any], custom: Sequence[Path] = (), *, thorough: bool = False
) -> Bundle:
    """Read and check a bundle, and the operator's own rules beside it. Raises BundleError.

    Our own modules are linted where `thorough` (0.1 s): in tests, not at every start. An operator's always are.
    """
    try:
        _check_manifest(folder)
        files = {path: path.read_bytes() for path in _files(folder, custom)}
        texts = {str(path): content.decode() for path, content in files.items() if path.suffix == ".rego"}
        documents = [
            _nested(path.relative_to(folder), json.loads(content))
            for path, content in files.items()
            if path.name == "data.json"
        ]
        known = tuple(samples(folder))
    except (OSError, ValueError) as error:
        raise BundleError(f"{folder}: {_one_line(error)}") from None
    tests = {name: text for name, text in texts.items() if name.endswith(_TEST)}
    modules = {name: text for name, text in texts.items() if name not in tests and Path(name).is_relative_to(folder)}
    others = {name: text for name, text in texts.items() if name not in tests and name not in modules}
    for name, text in (texts if thorough else others).items():
        if name not in tests:
            _check_module(folder, name, text)
    _check_folders(folder)
    try:
        fast = linked(modules)
    except ValueError as error:
        raise BundleError(str(error)) from None
    return Bundle(modules, fast, others, tests, documents, known, _revision(folder, files, settings), settings)


def _files(folder: Path, custom: Sequence[Path]) -> Iterable[Path]:
    yield folder / ".manifest"
    yield from sorted(path for path in folder.rglob("*") if path.suffix in {".rego", ".json"})
    for place in custom:
        if not place.exists():
            raise BundleError(f"policy.custom: {place} is not there; name a folder with rules, or a file of them")
        found = sorted(place.rglob("*.rego")) if place.is_dir() else [place]
        if not found:
            raise BundleError(f"{place}: there are no rules in it")
        yield from (path for path in found if not path.name.endswith(_TEST))


def _check_manifest(folder: Path) -> None:
    manifest = json.loads((folder / ".manifest").read_bytes())
    if not isinstance(manifest, dict) or manifest.get("roots") != ["sandgate"] or manifest.get("rego_version") != 1:
        raise BundleError(f"{folder / '.manifest'}: roots must be sandgate alone, and rego_version 1")


def _check_module(folder: Path, name: str, text: str) -> None:
    path = Path(name)
    place = path.parent.relative_to(folder).parts if path.is_relative_to(folder) else None
    try:
        tree = Engine({name: text}, ()).syntax()[0]["ast"]
    except EngineTrouble as trouble:
        raise BundleError(str(trouble)) from None
    if fault := next(faults(name, text, tree, place), None):
        raise BundleError(fault)


def _check_folders(folder: Path) -> None:
    """A rule is a folder with its tests and samples, and the index names it: else it would never be asked."""
    index = (folder / "index" / "index.rego").read_text()
    for place in sorted(path for path in (folder / "rules").glob("*/*") if path.is_dir()):
        rule = f"{place.parent.name}.{place.name}"
        for name in (f"{place.name}.rego", f"{place.name}{_TEST}", "allowed.json", "denied.json"):
            if not (place / name).is_file():
                raise BundleError(f"{place}: the rule lacks its {name}")
        if f"data.sandgate.rules.{rule}.findings" not in index:
            raise BundleError(f"{place}: the rule is not named in index/index.rego, so nothing would ask it")


def _nested(path: Path, document: Any) -> dict[str, Any]:
    """OPA's convention: the folder of a data.json is the path of its document; the bundle's root is `sandgate`."""
    for part in reversed(("sandgate", *path.parent.parts)):
        document = {part: document}
    return dict(document)


def _revision(folder: Path, files: Mapping[Path, bytes], settings: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        name = path.relative_to(folder) if path.is_relative_to(folder) else path.name
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    digest.update(json.dumps(settings, sort_keys=True, default=list).encode())
    return digest.hexdigest()[:16]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
