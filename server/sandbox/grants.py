"""What is only for callers of some roles: environments, the folders that are lent, secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from server.sandbox.allow_list import Roles
from server.sandbox.sandbox import SandboxSpec

OPERATOR: Final = "operator"  # the role that has all of it; environments are prepared under it


class NotGranted(Exception):
    """A session has what is not, or no longer, for its caller's roles."""


@dataclass(frozen=True, slots=True)
class Grants:
    """Each names the roles that have it; what is not named here is everybody's. Folders by their path on the host."""

    environments: Mapping[str, Roles] = field(default_factory=dict)
    folders: Mapping[str, Roles] = field(default_factory=dict)
    secrets: Mapping[str, Roles] = field(default_factory=dict)

    def offer(self, environment: str, roles: Roles) -> bool:
        return _has(self.environments, environment, roles)

    def part(self, spec: SandboxSpec, roles: Roles) -> SandboxSpec:
        """What a caller of these roles has of it."""
        return replace(
            spec,
            mounts=tuple(mount for mount in spec.mounts if _has(self.folders, mount.source, roles)),
            copies=tuple(copy for copy in spec.copies if _has(self.folders, copy.source, roles)),
            secrets=tuple(name for name in spec.secrets if _has(self.secrets, name, roles)),
        )

    def demand(self, spec: SandboxSpec, roles: Roles, session: str) -> None:
        """Raises NotGranted where they do not have all of it."""
        if not self.offer(spec.environment, roles) or self.part(spec, roles) != spec:
            raise NotGranted(
                f"session {session} has what your role has not: close it with session_close, and open another"
            )


EVERYBODYS: Final = Grants()


def _has(known: Mapping[str, Roles], what: str, roles: Roles) -> bool:
    wanted = known.get(what)
    return not wanted or OPERATOR in roles or not set(wanted).isdisjoint(roles)
