"""What a running server takes up from changed settings."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.judge.bundle import BundleError
from server.judge.current import CurrentJudge
from server.looks import Looks, Unchanged, looks
from server.record.audit import Audit
from server.sandbox.sessions import Sessions
from server.settings.files import Source
from server.settings.settings import BadSettings
from server.wiring.judges import embedded


def watched(source: Source) -> tuple[Callable[[], list[Path]], Looks]:
    """What is looked at, every settings file and the operator's own rules, and how it looks now, before rules are read.
    Settings have been read, and may be others by now: of those how they looked at first."""
    rules = _own_rules(source)

    def files() -> list[Path]:
        places = rules()
        return [*source.files, *places, *(path for place in places for path in sorted(place.rglob("*.rego")))]

    return files, {**looks(files()), **source.at_first}


def _own_rules(source: Source) -> Callable[[], Sequence[Path]]:
    """Where they lie, as the settings say; those are read again only where a file of theirs changed."""

    def read() -> Sequence[Path]:
        try:
            return source.read().policy.custom
        except BadSettings:
            return ()

    return Unchanged(source.files, read)


@dataclass(frozen=True, slots=True)
class Change:
    """What a running server takes up from changed settings: the policy and the hosts. The rest needs a restart."""

    source: Source
    judge: CurrentJudge
    sessions: Sessions
    audit: Audit
    soon: Callable[[Callable[[], Coroutine[Any, Any, None]]], object]  # starts what takes its time

    def take_up(self) -> None:
        """Loaded and proven aside first: where that fails, what was in force stays in force. Raises what was wrong."""
        try:
            settings = self.source.read()
            if not settings.policy.opa_url:
                self.judge.replace(embedded(settings))
        except (BadSettings, BundleError) as exc:
            self.audit.write("server.reload_failed", {"reason": str(exc)})
            raise
        self.soon(self.sessions.follow_policy)
        self.audit.write("server.reloaded", {"revision": self.judge.revision, "warnings": settings.warnings()})
