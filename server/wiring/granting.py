"""What the settings keep for callers of some roles."""

from pathlib import Path

from server.sandbox.grants import Grants
from server.sandbox.sandbox import Copy
from server.sandbox.workspaces import Workspace
from server.sandbox.worktree import repository_of
from server.settings.settings import Settings


def grants(settings: Settings, spaces: tuple[Workspace, ...]) -> Grants:
    """`spaces`: those of [[workspace]] in their order, then the repositories that copied worktrees need beside them."""
    told = [(space.lent, wanted.roles) for wanted, space in zip(settings.workspace, spaces, strict=False)]
    folders = {lent.source: roles for lent, roles in told}
    for space in spaces[len(told) :]:
        users = [
            roles
            for lent, roles in told
            if isinstance(lent, Copy) and repository_of(Path(lent.source)) == Path(space.lent.source)
        ]
        folders[space.lent.source] = tuple({role for roles in users for role in roles}) if all(users) else ()
    return Grants(
        environments={name: table.roles for name, table in settings.environments.items()},
        folders=folders,
        secrets={secret.name: secret.roles for secret in settings.secret},
    )
