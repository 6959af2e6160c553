"""What a running server takes up from changed settings."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.judge.bundle import BundleError
from server.judge.current import CurrentJudge
from server.judges import embedded
from server.record.audit import Audit
from server.sandbox.sessions import Sessions
from server.settings import BadSettings
from server.settings_files import Source


@dataclass(frozen=True, slots=True)
class Change:
    """What a running server takes up from changed settings: the policy and the hosts. The rest needs a restart."""

    source: Source
    judge: CurrentJudge
    sessions: Sessions
    audit: Audit
    soon: Callable[[Callable[[], Coroutine[Any, Any, None]]], object]  # starts what takes its time

    def files(self) -> list[Path]:
        """What is looked at: every settings file, and the rules of the operator's own."""
        try:
            custom = self.source.read().policy.custom
        except BadSettings:
            custom = ()
        return [*self.source.files, *custom, *(path for place in custom for path in sorted(place.rglob("*.rego")))]

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
