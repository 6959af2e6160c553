"""What a running server takes up from changed settings."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.judge.bundle import BundleError
from server.judge.current import CurrentJudge
from server.record.audit import Audit
from server.sandbox.sessions import Sessions
from server.settings.files import Source
from server.settings.settings import BadSettings
from server.watching import Unchanged
from server.wiring.judges import embedded


def own_rules(source: Source) -> Callable[[], Sequence[Path]]:
    """Where the operator's own rules lie, as the settings say; those are read again only where a file of theirs changed."""

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
    own_rules: Callable[[], Sequence[Path]]

    def files(self) -> list[Path]:
        """What is looked at: every settings file, and the rules of the operator's own."""
        places = self.own_rules()
        return [*self.source.files, *places, *(path for place in places for path in sorted(place.rglob("*.rego")))]

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
