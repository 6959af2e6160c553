"""What is kept of sandboxes beyond their end, and how the settings bound it: one making for the server and the CLI."""

from typing import Final

from server.record.snapshot_rows import SnapshotRows
from server.sandbox.docker_snapshots import DockerSnapshots
from server.sandbox.engine import find_engine
from server.sandbox.installation import Installation
from server.sandbox.sandbox import MIB
from server.sandbox.snapshots import Note, Retention, Snapshots
from server.settings import ENVIRON, HOME, Settings

RESERVE_BYTES: Final = 1024 * MIB  # of the engine's disk, for all that is not a snapshot


def stored_images(settings: Settings) -> DockerSnapshots:
    """The engine is looked for when something is asked of it, not before."""
    installation = Installation.of(settings.state_dir)
    return DockerSnapshots(lambda: find_engine(ENVIRON, HOME, settings.state_dir).url, installation, RESERVE_BYTES)


def snapshots(settings: Settings, images: DockerSnapshots, note: Note) -> Snapshots:
    """note: what came and went, as a line of the audit."""
    retention = Retention(
        settings.limits.snapshots, settings.sandbox.keep_snapshots_s, settings.sandbox.keep_prepared_s
    )
    return Snapshots(SnapshotRows(settings.database), images, settings.state_dir, retention, note)
