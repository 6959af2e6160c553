"""What is kept of sandboxes beyond their end, and how the settings bound it: one making for the server and the CLI."""

from server.note import Note
from server.record.snapshot_rows import SnapshotRows
from server.sandbox.disk_watch import RESERVE_BYTES
from server.sandbox.docker_snapshots import DockerSnapshots
from server.sandbox.engine import find_engine
from server.sandbox.installation import Installation
from server.sandbox.sandbox import MIB
from server.sandbox.snapshots import Retention, Snapshots
from server.settings.settings import ENVIRON, HOME, Settings


def stored_images(settings: Settings) -> DockerSnapshots:
    """The engine is looked for when something is asked of it, not before."""
    installation = Installation.of(settings.state_dir)
    return DockerSnapshots(lambda: find_engine(ENVIRON, HOME, settings.state_dir).url, installation, RESERVE_BYTES)


def snapshots(settings: Settings, images: DockerSnapshots, note: Note) -> Snapshots:
    """note: what came and went, as a line of the audit."""
    box, limits = settings.sandbox, settings.limits
    retention = Retention(limits.snapshots, limits.snapshots_mb * MIB, box.keep_snapshots_s, box.keep_prepared_s)
    return Snapshots(SnapshotRows(settings.database), images, settings.state_dir, retention, note)
