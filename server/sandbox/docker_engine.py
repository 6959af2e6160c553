"""Containers of a Docker engine: made, greeted, destroyed."""

import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
import docker
from docker.errors import APIError, DockerException, ImageNotFound
from requests import RequestException

from server.sandbox.adoption import PATIENCE_S, find_left, move_here
from server.sandbox.agent_link import AgentLink
from server.sandbox.agent_volume import NotFilled, fill, name_of, tidy
from server.sandbox.disk_quota import may_have_quota
from server.sandbox.disk_watch import DiskWatch, Weight
from server.sandbox.docker_client import KeptClient, first_line
from server.sandbox.docker_sandbox import CLOSE_PATIENCE_S, DockerSandbox, not_held, shell_of
from server.sandbox.door import arrival, check_key, door
from server.sandbox.ends import AGENT_OUT_OF_MEMORY
from server.sandbox.engine import NoEngine, Unreachable, data_root, free_bytes, uncounted
from server.sandbox.image_build import ImageMissing, ImageOutdated, how_to_get, require_current, require_on
from server.sandbox.image_recipe import AGENT as AGENT_IMAGE
from server.sandbox.image_recipe import recipe
from server.sandbox.orphans import SANDBOX_LABEL, SERVER_LABEL, Orphans
from server.sandbox.sandbox import AGENT, Exit, FileRefused, NoSuchImage, SandboxFailed, SandboxLost, SandboxSpec
from server.sandbox.scales import Scales
from server.sandbox.socket_folder import LinkMount, bound
from server.sandbox.surroundings import Surroundings

START_PATIENCE_S = 45.0  # a machine with thirty at work for each core took 20; clients wait for a minute
LEAVE_PATIENCE_S = 2.0
LOOK_AGAIN_S = 0.02
THREADS = 40  # that anyio has, each of which may ask the engine at once
LABEL = SERVER_LABEL
DEATH_PATIENCE_S = 5.0  # how long before the end of the line the kernel may have killed
WORD_PATIENCE_S = 30.0  # for the engine's word of a death: on a busy machine it came ten seconds later
KILLED = "137"  # 128 + SIGKILL, as the engine writes it
_AWAY = (NoEngine, Unreachable, DockerException, RequestException)


@dataclass(slots=True)
class _Start:
    """Of a container, in a thread: one that was given up before it began does not begin."""

    at_work: bool = False
    given_up: bool = False
    over: bool = False


class DockerEngine:
    """Makes and destroys sandboxes on one Docker engine. `directory` holds a folder of sockets for each."""

    def __init__(
        self,
        find: Callable[[], str],
        directory: Path,
        server_id: str,
        seccomp: Path,
        surroundings: Surroundings,
        grace_s: float,
        tasks: anyio.abc.TaskGroup,
        weakened: Callable[[str], None],
        *,
        orphans: Orphans | None = None,
        link: LinkMount = bound,
        weighs: bool = True,
    ) -> None:
        """`weakened` is told once of each control that this engine or its kernel lacks, in a sentence. `link`: how a sandbox
        sees its folder of `directory`. `weighs`: what it holds is looked at where the engine has no quota, not only asked."""
        self._link = link
        self._orphans, self._swept = orphans, orphans is None
        self._find, self.directory, self.server_id = find, directory, server_id
        self._surroundings, self._grace_s, self._tasks = surroundings, grace_s, tasks
        self._seccomp = json.dumps(json.loads(seccomp.read_text()))
        self._docker = KeptClient(find, THREADS)
        self._image_env: dict[str, dict[str, str]] = {}
        self._agent_image = ""  # its digest, once it was looked at
        self._weakened, self._said = weakened, set[str]()
        self._disk_quota: bool | None = None  # until the engine has been asked
        self._data_root: Path | None = None  # where the engine keeps its containers, if that is on this machine
        self._disk = DiskWatch(self._room, self._weigh)
        self._scales = Scales(
            lambda: self._docker().api, self._find_agent, self._labels, self._say, asks_the_engine=not weighs
        )
        self._room_said: dict[str, int] = {}  # by sandbox
        self._watching = False

    async def create(self, spec: SandboxSpec) -> DockerSandbox:
        """A new container whose agent has answered. Raises SandboxFailed with one sentence."""
        identity, start = secrets.token_hex(6), _Start()
        folder = self.directory / identity
        try:
            with anyio.fail_after(START_PATIENCE_S), door(folder) as listener:
                pid = await anyio.to_thread.run_sync(self._start, spec, identity, folder, start, abandon_on_cancel=True)
                link = AgentLink(await arrival(listener, pid))
                self._tasks.start_soon(link.serve)
                sandbox = await self._welcome(spec, identity, link, pid, secrets.token_hex(16))
            self._sweep_once()
            return sandbox
        except BaseException as exc:
            started = start.over
            # A thread cannot be interrupted: it is waited for, but not for ever; what it makes after that finds no server
            # and ends itself.
            start.given_up = True
            with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_PATIENCE_S):
                while start.at_work:  # noqa: ASYNC110 - a thread sets no event of ours
                    await anyio.sleep(LOOK_AGAIN_S)
                await self.destroy(identity, None)
            if isinstance(exc, TimeoutError):
                who = "the new sandbox" if started else "the Docker engine"
                late = f"{who} did not answer within {START_PATIENCE_S:.0f} s; try again, or see what `sandgate doctor` says"
                raise SandboxFailed(late) from exc
            if isinstance(exc, OSError | SandboxLost | FileRefused):
                raise SandboxFailed(f"a sandbox cannot be made: {exc}") from exc
            raise

    async def adopt(self, spec: SandboxSpec, identity: str, key: str) -> DockerSandbox:
        """One that waits because its server died: its agent dials again and shows the key it was given.

        Raises SandboxLost, and then it is destroyed: who cannot have it back has no use for it, and nobody else may have
        it. Where the engine does not answer, SandboxFailed; then it waits on, as it does for who is cancelled meanwhile.
        """
        link, folder = None, self.directory / identity
        try:
            with anyio.fail_after(PATIENCE_S):
                await anyio.to_thread.run_sync(move_here, self.directory.parent, folder)
                left = await anyio.to_thread.run_sync(lambda: find_left(self._find(), identity), abandon_on_cancel=True)
                self._image_env.setdefault(spec.image, _environment(list(left.env)))
                with door(folder) as listener:
                    link = AgentLink(await arrival(listener, left.pid))
                self._tasks.start_soon(link.serve)
                await link.greeted.wait()
                check_key(link, key)
                await anyio.to_thread.run_sync(self._know_quota, left.disk_quota, abandon_on_cancel=True)
                sandbox = await self._welcome(spec, identity, link, left.pid, key)
        except (*_AWAY, anyio.get_cancelled_exc_class()) as exc:
            if link is not None:
                link.close()  # its agent dials again
            if isinstance(exc, _AWAY):
                raise SandboxFailed(f"its server ended, and the engine does not say what is left: {exc}") from exc
            raise
        except (TimeoutError, OSError, SandboxFailed, SandboxLost) as exc:
            with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_PATIENCE_S):
                await self.destroy(identity, link)
            why = str(exc) or f"its agent did not come back within {PATIENCE_S:.0f} s"
            raise SandboxLost(f"its server ended, and its sandbox could not be taken over: {why}") from exc
        self._sweep_once()
        return sandbox

    def _start(self, spec: SandboxSpec, identity: str, folder: Path, start: "_Start") -> int:
        """Create and start the container (in a thread: the docker package blocks). PID 1's pid on the host."""
        start.at_work = True
        try:
            if start.given_up:
                raise SandboxFailed("nobody waits for it any more")
            api = self._docker().api
            if spec.image not in self._image_env:
                require_current(api, spec.image)
            started = self._started(api, spec, identity, folder)
            info = api.inspect_container(started)
            self._image_env.setdefault(spec.image, _environment(info["Config"]["Env"]))
            return int(info["State"]["Pid"])
        except ImageNotFound as exc:
            raise NoSuchImage(
                f"the engine has no image {spec.image}; {how_to_get(spec.image, spec.environment)}"
            ) from exc
        except (NoEngine, ImageMissing, ImageOutdated, NotFilled) as exc:
            raise SandboxFailed(str(exc)) from exc
        except (DockerException, RequestException) as exc:
            raise SandboxFailed(f"the Docker engine did not start a sandbox: {first_line(exc)}") from exc
        finally:
            start.at_work, start.over = False, True

    def _started(self, api: docker.APIClient, spec: SandboxSpec, identity: str, folder: Path) -> str:
        """The id of a container that runs. Where one cannot be started, another is, once: of thousands an engine fails at
        one by itself. Where it did not find its agent, that one's volume is new here, or was removed while unused."""
        known = bool(self._agent_image)
        self._agent_image = self._agent_image or self._find_agent(api)
        container = self._create(spec, identity, folder)["Id"]
        try:
            api.start(container)
        except APIError as exc:
            self._remove(identity)
            if AGENT[0] in str(exc.explanation):
                self._agent_image = self._find_agent(api)
                fill(api, self._agent_image)
            container = self._create(spec, identity, folder)["Id"]
            api.start(container)
        if not known:
            tidy(api, name_of(self._agent_image))
        return str(container)

    def _find_agent(self, api: docker.APIClient) -> str:
        require_on(api, AGENT_IMAGE)
        return str(api.inspect_image(recipe(AGENT_IMAGE).tag)["Id"])  # type: ignore[no-untyped-call]  # docker's types leave it out

    def _create(self, spec: SandboxSpec, identity: str, folder: Path) -> dict[str, Any]:
        """With a disk quota where the engine has one; where it refuses that, without, and that is said."""
        api = self._docker().api
        settings = spec.container(f"sandgate-{identity}", {**self._labels, SANDBOX_LABEL: identity})
        options = spec.host_config(self._link(folder, api.api_version), name_of(self._agent_image), self._seccomp)
        if self._disk_quota is None:
            info = api.info()
            self._know_quota(may_have_quota(info))
            for sentence in uncounted(info):
                self._say(sentence)
        quota = {"storage_opt": {"size": str(spec.disk_bytes)}} if self._disk_quota else {}
        try:
            created = dict(api.create_container(host_config=_host_config(api, options | quota), **settings))
        except APIError as exc:
            if not quota or "storage-opt" not in str(exc.explanation):
                raise
            self._know_quota(False)
            created = dict(api.create_container(host_config=_host_config(api, options), **settings))
        for sentence in left_out(created):
            self._say(sentence)
        return created

    def _know_quota(self, has_one: bool) -> None:  # noqa: FBT001 - ours alone
        self._disk_quota = has_one
        if has_one:
            return
        self._data_root = data_root(self._find(), self._docker().api.info())
        self._say(
            "The engine cannot limit a sandbox's disk (it takes overlay2 on XFS with pquota): what it holds is measured, "
            "and its commands are stopped once that is too much."
        )

    @property
    def _labels(self) -> dict[str, str]:
        return {**(self._orphans.labels if self._orphans else {}), LABEL: self.server_id}

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._weakened(sentence)

    async def _welcome(self, spec: SandboxSpec, identity: str, link: AgentLink, pid: int, key: str) -> DockerSandbox:
        await link.say({"op": "welcome", "key": key, "grace_s": self._grace_s})
        await link.greeted.wait()
        if not link.hello:
            raise SandboxFailed(f"the agent in a sandbox of {spec.image} ended at once; run: sandgate images build")
        shell = shell_of(link.hello) or "/bin/sh"
        env = self._surroundings.of(spec, identity, self._image_env[spec.image], shell)
        sandbox = DockerSandbox(self, spec, identity, link, env, key)
        await _compare_mounts(sandbox)
        if spec.landlock_required and not sandbox.landlock_abi:
            raise SandboxFailed("the kernel has no usable Landlock, and sandbox.require_landlock is set")
        for sentence in not_held(sandbox.landlock_abi):
            self._say(sentence)
        link.why_lost = lambda: self._why_lost(identity)
        self._watch_disk(spec, identity, link, pid)
        return sandbox

    # --- why it was lost ---------------------------------------------------------------------------------------------

    async def _why_lost(self, identity: str) -> Exit | None:
        """Its end as the engine tells it, where that was the kernel's, for memory."""
        with anyio.move_on_after(WORD_PATIENCE_S + CLOSE_PATIENCE_S):
            if await anyio.to_thread.run_sync(self._died_for_memory, identity, abandon_on_cancel=True):
                return AGENT_OUT_OF_MEMORY
        return None

    def _died_for_memory(self, identity: str) -> bool:
        """Whether the kernel killed something in it for memory and then its agent died by KILL."""
        now = time.time()
        filters = {"container": f"sandgate-{identity}", "event": ["oom", "die"]}
        window = int(now - DEATH_PATIENCE_S), int(now + WORD_PATIENCE_S) + 1
        out_of_memory = False
        with suppress(DockerException, RequestException, NoEngine):
            for event in self._docker().api.events(*window, filters=filters, decode=True):
                if event["Action"] == "die":
                    return out_of_memory and event["Actor"]["Attributes"].get("exitCode") == KILLED
                out_of_memory = True
        return False

    # --- disk --------------------------------------------------------------------------------------------------------

    def _watch_disk(self, spec: SandboxSpec, identity: str, link: AgentLink, pid: int) -> None:
        if self._disk_quota:
            return
        link.on_beat = lambda size, _: self._hear_room(identity, size)
        self._scales.place(identity, pid, [mount.target for mount in spec.mounts])
        self._disk.enter(identity, spec.disk_bytes, lambda: self._end_commands(link))
        if not self._watching:
            self._watching = True
            self._tasks.start_soon(self._disk.serve)

    def _end_commands(self, link: AgentLink) -> None:
        """In a task of its own: an agent that takes nothing would keep the others' disks unwatched."""
        self._tasks.start_soon(_fill_no_more, link)

    async def disk_is_full(self, identity: str) -> bool:
        return not self._disk_quota and await self._disk.is_full(identity)

    def _room(self) -> int | None:
        if self._data_root is None:
            return max(self._room_said.values(), default=None)  # who says less than there is has no neighbour stopped
        return free_bytes(self._data_root)

    def _hear_room(self, identity: str, size: int) -> None:
        """What an agent sees of the file system below it while something runs: asked where that is not this machine's."""
        self._room_said[identity] = size
        self._disk.stir()

    async def _weigh(self) -> Mapping[str, Weight]:
        return await anyio.to_thread.run_sync(self._scales.weigh, abandon_on_cancel=True)

    # --- what others left --------------------------------------------------------------------------------------------

    def _sweep_once(self) -> None:
        """After the first sandbox, which nobody waits for any more."""
        if not self._swept:
            self._swept = True
            self._tasks.start_soon(self._sweep)

    async def _sweep(self) -> None:
        assert self._orphans is not None  # noqa: S101 - _sweep_once() looked
        with suppress(DockerException, RequestException, NoEngine, OSError):  # no rows either: the next server tries
            sweep = self._orphans.sweep
            await anyio.to_thread.run_sync(lambda: sweep(self._docker().api), abandon_on_cancel=True)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def destroy(self, identity: str, link: AgentLink | None) -> None:
        self._disk.leave(identity)
        self._room_said.pop(identity, None)
        if link is not None:
            link.part()
        await anyio.to_thread.run_sync(self._remove, identity, abandon_on_cancel=True)
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(self.directory / identity, ignore_errors=True))

    async def put(self, identity: str, archive: Iterator[bytes]) -> None:
        """Unpack tar at the container's root. Raises SandboxFailed."""
        await anyio.to_thread.run_sync(self._put, identity, archive, abandon_on_cancel=True)

    def _put(self, identity: str, archive: Iterator[bytes]) -> None:
        try:
            self._docker().api.put_archive(f"sandgate-{identity}", "/", archive)
        except (DockerException, RequestException) as exc:
            raise SandboxFailed(f"the Docker engine did not take the files: {first_line(exc)}") from exc

    def _remove(self, identity: str) -> None:
        try:
            # Auto-remove is often first. Where the engine does not answer, its agent was told that it is over.
            with suppress(NoEngine, DockerException, RequestException):
                self._docker().api.remove_container(f"sandgate-{identity}", force=True, v=True)
        finally:
            self._scales.take_off(identity)

    async def close(self) -> None:
        """What weighs ends by itself where the engine does not answer."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(LEAVE_PATIENCE_S):
            await anyio.to_thread.run_sync(self._scales.close, abandon_on_cancel=True)
        self._docker.close()
        with suppress(OSError):
            self.directory.rmdir()


async def _fill_no_more(link: AgentLink) -> None:
    with suppress(SandboxLost):
        await link.stop_all("disk_full")


async def _compare_mounts(sandbox: DockerSandbox) -> None:
    """The folder inside must be the one that was checked: the engine resolved its path again, as root."""
    for mount in (*sandbox.spec.mounts, *sandbox.spec.guards):
        found = await sandbox.resolve(mount.target)
        if found.identity != (mount.device, mount.inode):
            raise SandboxFailed(f"{mount.source} was swapped for another folder since it was checked; start again")


def left_out(created: Mapping[str, Any]) -> list[str]:
    """What the engine says of a container that it made otherwise than asked for: limits that its kernel does not have."""
    return [f"The engine made a sandbox otherwise than asked for: {told}" for told in created.get("Warnings") or ()]


def _host_config(api: docker.APIClient, options: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if value is not None}
    return dict(api.create_host_config(**given))


def _environment(pairs: list[str] | None) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in pairs or [] if "=" in pair)
