"""Snapshots as images of a Docker engine: committed, kept shallow, found, removed. Its errors stop here."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import sleep
from typing import Any, Final
from urllib.parse import quote

import docker
import docker.errors
import requests

from server.sandbox.docker_client import docker_client, first_line
from server.sandbox.engine import NoEngine, NotThere, Unreachable, free_bytes, get_json
from server.sandbox.installation import STATE_LABEL, Installation
from server.sandbox.sandbox import LINK_DIR, MIB
from server.sandbox.snapshot import REPOSITORY, Committed, ImageGone, SnapshotFailed, StoredImage, Tell

MAX_LAYERS: Final = 24  # overlay2 takes 127, and each one costs a lookup; past it an image is made anew as one layer
PATIENCE_S: Final = 900  # the engine says nothing while it commits, about 8 s a gigabyte here
PAUSES: Final = 12  # 5 were too few where sixty processes waited for two cores
PAUSE_AGAIN_S: Final = 0.5
CHUNK: Final = MIB
OURS: Final = (LINK_DIR, "/opt/sandgate")  # mounts that every sandbox has and nobody misses
SNAPSHOT_LABEL: Final = "sandgate.snapshot"
# What a container's own labels say is not true of the image made from it.
_NOT_OF_AN_IMAGE: Final = ("sandgate.server", "sandgate.sandbox")


class DockerSnapshots:
    """Blocking, for threads. `reserve_bytes` stay free on the engine's disk whatever is asked."""

    def __init__(self, find: Callable[[], str], installation: Installation, reserve_bytes: int) -> None:
        self._find, self.installation, self._reserve = find, installation, reserve_bytes

    def commit(self, sandbox_id: str, snapshot_id: str, most_bytes: int, tell: Tell) -> Committed:
        """The files of that sandbox as an image. The sandbox stands still meanwhile, and is as it was afterwards.

        most_bytes: how much it may add to its own image, holes of sparse files counted as the engine writes them.
        """
        container = f"sandgate-{sandbox_id}"
        with self._engine() as api, _standing_still(api, container) as found:
            size = int(found.get("SizeRw") or 0)
            self._check_room(api, size, most_bytes)
            tell(f"keeping {_amount(size)}")
            labels = dict.fromkeys(_NOT_OF_AN_IMAGE, "") | self._labels(snapshot_id)
            api.commit(container, REPOSITORY, snapshot_id, conf={"Labels": labels})
        with self._undone_on_failure(snapshot_id), self._engine() as api:
            self._keep_shallow(api, snapshot_id, tell)
        return Committed(image(snapshot_id), size, tuple(_left_out(found)))

    def _labels(self, snapshot_id: str) -> dict[str, str]:
        return {**self.installation.labels, SNAPSHOT_LABEL: snapshot_id}

    def _check_room(self, api: docker.APIClient, size: int, most_bytes: int) -> None:
        if size > most_bytes:
            raise SnapshotFailed(
                f"its files come to {_amount(size)} and a snapshot holds at most {_amount(most_bytes)}: delete what is "
                "not needed (a sparse file counts with its holes) and try again"
            )
        free = _free(api)
        if free is not None and free - size < self._reserve:
            raise SnapshotFailed(
                f"the engine's disk has {_amount(free)} free, the snapshot takes {_amount(size)} and "
                f"{_amount(self._reserve)} are held back; a person can make room: sandgate images prune"
            )

    # --- layers ------------------------------------------------------------------------------------------------------

    def _keep_shallow(self, api: docker.APIClient, snapshot_id: str, tell: Tell) -> None:
        found = _inspected(api, image(snapshot_id))
        if len(found["RootFS"]["Layers"]) <= MAX_LAYERS:
            return
        tell(f"joining {len(found['RootFS']['Layers'])} layers into one, {_amount(found['Size'])}")
        self._check_room(api, found["Size"], found["Size"])
        self._flatten(api, snapshot_id, found["Config"])
        with suppress(docker.errors.APIError):  # the deep one has lost its name; a sandbox of its source may hold it
            api.remove_image(found["Id"])

    def _flatten(self, api: docker.APIClient, snapshot_id: str, config: Mapping[str, Any]) -> None:
        """Everything in one layer under the same name. What an import forgets, environment first, is set again."""
        single = f"{snapshot_id}-joined"
        try:
            with self._never_started(api, image(snapshot_id)) as whole:
                _import(api, api.export(whole, chunk_size=CHUNK), single)
            with self._never_started(api, image(single)) as bare:
                api.commit(bare, REPOSITORY, snapshot_id, conf=_kept(config))
        finally:
            with suppress(docker.errors.APIError):  # its layer lives on in the image made from it
                api.remove_image(image(single))

    @contextmanager
    def _never_started(self, api: docker.APIClient, reference: str) -> Iterator[str]:
        made = api.create_container(
            reference, ["never"], entrypoint=["never"], labels=self.installation.labels, network_disabled=True
        )["Id"]
        try:
            yield made
        finally:
            api.remove_container(made, force=True, v=True)

    # --- what there is -----------------------------------------------------------------------------------------------

    def identify(self, reference: str) -> str:
        """The digest of an image, by which it is the same one whatever its name. Raises ImageGone, SnapshotFailed.

        One question and no client: a session that is opened waits for it.
        """
        try:
            return str(get_json(self._find(), f"/images/{quote(reference)}/json")["Id"])
        except NotThere as exc:
            raise ImageGone(
                f"the engine has no image {reference}; run `sandgate images build` for ours, or pull it"
            ) from exc
        except (NoEngine, Unreachable) as exc:
            raise SnapshotFailed(_away(exc)) from exc

    def stored(self) -> list[StoredImage]:
        """Every snapshot's image on this engine, also those of other installations."""
        with self._engine() as api:
            used = {entry["ImageID"] for entry in api.containers(all=True)}
            return [_stored(entry, used) for entry in api.images(filters={"label": SNAPSHOT_LABEL})]

    def remove(self, references: Iterable[str]) -> None:
        """Take the names away; an image that a sandbox still stands on goes with the sandbox, at the next `sweep`."""
        with self._engine() as api:
            for reference in references:
                with suppress(docker.errors.NotFound):  # or "unrecognized", where another takes it away at this moment
                    api.remove_image(reference, force=not reference.startswith("sha256:"))

    def sweep(self, known: frozenset[str]) -> list[str]:
        """Remove what no record speaks of: of this installation, and of those that are gone from this machine.

        known: the images that this installation's records name. Answers with what was removed. Nobody may be taking
        a snapshot meanwhile.
        """
        with self._engine() as api:
            self._remove_unfinished(api)
            gone = [entry for entry in self.stored() if self.installation.may_remove(entry.labels)]
            return [name for entry in gone for name in _removed(api, entry, known)]

    def _remove_unfinished(self, api: docker.APIClient) -> None:
        """Containers that a server left half-way through a join; they never ran."""
        label = f"{STATE_LABEL}={self.installation.id}"
        for entry in api.containers(all=True, filters={"label": label, "status": "created"}):
            if entry["Command"].startswith("never"):
                api.remove_container(entry["Id"], force=True, v=True)

    # --- the engine --------------------------------------------------------------------------------------------------

    @contextmanager
    def _undone_on_failure(self, snapshot_id: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with suppress(SnapshotFailed):  # the engine itself is gone: what is left there is swept when it is back
                self.remove([image(snapshot_id)])
            raise

    @contextmanager
    def _engine(self) -> Iterator[docker.APIClient]:
        try:
            with docker_client(self._find(), PATIENCE_S) as client:
                yield client
        except (NoEngine, Unreachable) as exc:
            raise SnapshotFailed(_away(exc)) from exc
        except docker.errors.NotFound as exc:
            raise SnapshotFailed(f"the Docker engine does not have it any more: {first_line(exc)}") from exc
        except (docker.errors.DockerException, requests.RequestException) as exc:
            raise SnapshotFailed(f"the Docker engine could not do it: {first_line(exc)}{_remedy(exc)}") from exc


def image(snapshot_id: str) -> str:
    return f"{REPOSITORY}:{snapshot_id}"


@contextmanager
def _standing_still(api: docker.APIClient, container: str) -> Iterator[dict[str, Any]]:
    """Paused from before it is measured until it is kept, so that what was measured is what is kept."""
    found = api.inspect_container(container)
    paused = bool(found["State"]["Paused"])
    if not paused:
        _pause(api, container)
    try:
        # `size` makes the engine count what it has written: lengths, not blocks, which is what a commit writes out.
        listed = api.containers(all=True, size=True, filters={"id": found["Id"]})
        if not listed:
            raise SnapshotFailed("the sandbox ended before its files could be kept")
        yield dict(listed[0])
    finally:
        if not paused:
            with suppress(docker.errors.NotFound):  # it ended meanwhile, and what was done with it says so
                api.unpause(container)


def _pause(api: docker.APIClient, container: str) -> None:
    """More than once: each process must have its turn to stand still, and on a loaded machine the engine gives up first."""
    for tries_left in reversed(range(PAUSES)):
        try:
            api.pause(container)
        except docker.errors.APIError as exc:
            if not exc.is_server_error() or not tries_left:
                raise
            sleep(PAUSE_AGAIN_S)
        else:
            return


def _inspected(api: docker.APIClient, reference: str) -> dict[str, Any]:
    return dict(api.inspect_image(reference))  # type: ignore[no-untyped-call]  # docker's types leave it out


def _left_out(found: Mapping[str, Any]) -> Iterator[str]:
    """The folders that come from elsewhere: lent ones, and volumes that the image declares."""
    for mount in found["Mounts"]:
        if mount["Destination"] not in OURS:
            yield mount["Destination"]


def _import(api: docker.APIClient, files: Iterable[bytes], tag: str) -> None:
    told = api.import_image(_Stream(files), repository=REPOSITORY, tag=tag)
    if "errorDetail" in told:
        raise docker.errors.APIError(told.strip().splitlines()[-1])


class _Stream:
    """An export as the import reads it: piece by piece, never held."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


def _kept(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if value and name not in ("Image", "Hostname")}


def _stored(entry: Mapping[str, Any], used: set[str]) -> StoredImage:
    return StoredImage(
        id=entry["Id"],
        names=tuple(entry["RepoTags"] or ()),
        labels=dict(entry["Labels"]),
        in_use=entry["Id"] in used,
        size_bytes=int(entry["Size"]),
    )


def _removed(api: docker.APIClient, entry: StoredImage, known: frozenset[str]) -> Iterator[str]:
    unknown = [name for name in entry.names if name not in known]
    for reference in unknown or ([] if entry.names else [entry.id]):
        with suppress(docker.errors.APIError):  # a sandbox stands on it: it goes at a later sweep
            api.remove_image(reference)
            yield reference


def _free(api: docker.APIClient) -> int | None:
    """Bytes free where the engine keeps its images; None where that is not to be seen from here."""
    if not api.base_url.startswith("http+docker://"):  # not over a unix socket: another machine's disk
        return None
    return free_bytes(api.info()["DockerRootDir"])


def _amount(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"  # noqa: PLR2004 - a billion


def _remedy(exc: Exception) -> str:
    return "; a person can make room: sandgate images prune" if "no space left" in str(exc) else ""


def _away(exc: NoEngine | Unreachable) -> str:
    """The one is a sentence with what to do next already, the other only why an address does not answer."""
    if isinstance(exc, NoEngine):
        return f"{exc} Nothing was changed."
    return f"the Docker engine does not answer ({exc}); nothing was changed"
