"""Which folders of the host's are lent; apart from what lends them, which takes a fifth of a second to import."""

from pathlib import Path

from server.sandbox.engine import engine_folders
from server.sandbox.workspaces import Workspace, check_all
from server.settings.files import MANAGED, SYSTEM, user_file
from server.settings.settings import ENVIRON, HOME, Settings


def workspaces(settings: Settings, files: tuple[Path, ...]) -> tuple[Workspace, ...]:
    """What is lent, after every check. `files` are those the settings were read from: no agent may write them."""
    ours = [
        *files,
        *settings.policy.custom,
        *(secret.file for secret in settings.secret if secret.file),
        *([settings.egress.upstream_ca] if settings.egress.upstream_ca else []),
    ]
    private = [
        settings.state_dir,
        settings.runtime_dir,
        user_file().parent,
        SYSTEM.parent,
        MANAGED.parent,
        Path("/var/lib/docker"),
    ]
    wanted = [(space.path, space.mode) for space in settings.workspace]
    if not wanted:
        return ()
    sockets = engine_folders(ENVIRON, HOME, settings.state_dir)
    return check_all(wanted, [*private, *ours, *sockets], allow_root_owned=settings.allow_root_owned)
