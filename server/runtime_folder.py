"""Where this login keeps its sockets, also where nobody says so."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LOGINS: Final = Path("/run/user")  # pam_systemd's, a folder for each user who is logged in


def runtime_folder(environ: Mapping[str, str], uid: int, logins: Path = LOGINS) -> Path | None:
    """XDG_RUNTIME_DIR, or what it is on a machine with systemd. None where there is neither.

    MCP clients start their servers with HOME, PATH and little more. A server that kept its sockets elsewhere than the
    shell of the same user looks for them would be out of reach of `sandgate page`, `sessions` and `apply`.
    """
    if named := environ.get("XDG_RUNTIME_DIR"):
        return Path(named)
    usual = logins / str(uid)
    return usual if os.access(usual, os.W_OK | os.X_OK) else None
