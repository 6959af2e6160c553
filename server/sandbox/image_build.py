"""Our images on an engine: whether they are there and current, and how they get there. The `docker` package's errors stop here."""

import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Literal

import docker
import docker.errors
import requests

from server.sandbox.agent_volume import ensure, tidy
from server.sandbox.apt_lines import FULL_DISK, AptLines, OnProgress, Step, is_full_disk, shortened, trouble
from server.sandbox.debian import PHASES, SUITE, NoDebian, NoMmdebstrap, bootstrap
from server.sandbox.docker_client import docker_client, first_line
from server.sandbox.engine import HOST_NETWORK_LABEL, Unreachable
from server.sandbox.image_recipe import (
    AGENT,
    BASE,
    BUILD_LABEL,
    CA_LABEL,
    REPOSITORY,
    Recipe,
    ca_digest,
    context,
    known_images,
    recipe,
)

DEFAULT_IMAGES: Final = ("base", "python")
_ALWAYS: Final = (BASE, AGENT)  # the one is what the others start from, the other is in every sandbox
_UPSTREAM: Final = f"debian:{SUITE}-slim"
_OWN_DEBIAN: Final = f"{REPOSITORY}/debian:{SUITE}"
_SILENCE_S: Final = 600  # an apt step may print nothing for minutes on a slow mirror
_ASK_S: Final = 10
DEBIAN: Final = "debian"  # where there is no such image yet, it is told of as one
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_NEXT: Final = "run: sandgate images build"


class ImageMissing(Exception):
    """The engine has no image of that name."""


class ImageOutdated(Exception):
    """The engine's image was built from other files than those of this version."""


class BuildFailed(Exception):
    """An image could not be built; `log` has the last lines of the build."""

    def __init__(self, sentence: str, log: str = "") -> None:
        super().__init__(sentence)
        self.log = log


class NothingToBuildOn(BuildFailed):
    """No registry answers, and what makes a Debian of its packages is not installed."""


@dataclass(frozen=True, slots=True)
class ImageState:
    """`size` in bytes, 0 when missing; `made_from` is the image it was built on; `seconds` is 0 when nothing was built."""

    image: str
    tag: str
    state: Literal["current", "outdated", "missing"]
    size: int = 0
    made_from: str = ""
    seconds: float = 0.0

    @property
    def summary(self) -> str:
        how = f"built in {self.seconds:.0f} s on {self.made_from}" if self.seconds else "is current"
        return f"{how}, {self.size / 1e6:.0f} MB"


def build(
    engine_url: str,
    images: Sequence[str] = (),
    ca_bundle: Path | None = None,
    on_progress: OnProgress = lambda _: None,
    *,
    force: bool = False,
    proxies: Mapping[str, str] | None = None,
) -> list[ImageState]:
    """Build those that are missing or outdated, and what every sandbox needs with them; `force` builds all anew with the
    packages of today. None named: the default ones, and whatever was built before.

    proxies: http_proxy and the like, for what is downloaded meanwhile; no image keeps them.
    Without `ca_bundle` a current image stays as it is, whatever it was built with; an outdated one is built without.
    """
    bundle = _read_bundle(ca_bundle)
    named = [recipe(image) for image in images]  # before anything is built, or asked
    took: dict[str, float] = {}
    with _engine(engine_url, _SILENCE_S) as client:
        recipes = _with_what_they_need(named or _usual(client))
        wanted = [made for made in recipes if force or not _is_current(client, made, bundle)]
        layers = [  # the others start from base, and none of them from another
            [made for made in wanted if made.image == BASE],
            [made for made in wanted if made.image != BASE],
        ]
        if wanted:
            order = ", then ".join(" and ".join(made.image for made in layer) for layer in layers if layer)
            on_progress(Step("images", f"{len(wanted)} to build: {order}", over=True))
        debian = _find_debian(client, on_progress, force=force) if wanted else ""

        def one(made: Recipe, say: OnProgress) -> None:
            started = time.monotonic()
            with _engine(engine_url, _SILENCE_S) as own:
                _build_image(own, made, debian, bundle, say, force=force, proxies=proxies or {})
                took[made.image] = time.monotonic() - started
                say(Step(f"{REPOSITORY}/{made.image}", _state(own, made, took[made.image]).summary, over=True))

        for layer in layers:
            _side_by_side(layer, one, on_progress)
        if wanted:
            on_progress(Step("images", "filling the volume from which each sandbox has its agent"))
        _fill_volume(client)
        return [_state(client, made, took.get(made.image, 0.0)) for made in recipes]


def _side_by_side(recipes: Sequence[Recipe], one: Callable[[Recipe, OnProgress], None], say: OnProgress) -> None:
    """All at the same time, told of in this thread; the first failure is raised once none is under way any more.

    In daemons, so that Ctrl-C ends this process at once: the engine gives up what nobody listens to.
    """
    told: SimpleQueue[Step | BaseException | None] = SimpleQueue()

    def run(made: Recipe) -> None:
        try:
            one(made, told.put)
        except BaseException as error:  # noqa: BLE001 - raised again where it can be caught
            told.put(error)
        else:
            told.put(None)

    for made in recipes:
        threading.Thread(target=run, args=(made,), daemon=True).start()
    failures: list[BaseException] = []
    running = len(recipes)
    while running:
        match told.get():
            case Step() as step:
                say(step)
            case ended:
                running -= 1
                failures += [ended] if ended else []
    if failures:
        raise failures[0]


def _usual(client: docker.APIClient) -> list[Recipe]:
    known = [recipe(image) for image in known_images()]
    return [made for made in known if made.image in DEFAULT_IMAGES or _inspect(client, made.tag) is not None]


def _with_what_they_need(recipes: list[Recipe]) -> list[Recipe]:
    return list({made.image: made for made in (*map(recipe, _ALWAYS), *recipes)}.values())


def _fill_volume(client: docker.APIClient) -> None:
    """So that no sandbox has to wait for it; those of earlier builds go."""
    agent = recipe(AGENT)
    kept = ensure(client, client.inspect_image(agent.tag)["Id"])  # type: ignore[no-untyped-call]  # docker's types leave it out
    tidy(client, kept)


def current(engine_url: str, image: str) -> bool:
    """Whether the engine has this image as this version would build it."""
    return state(engine_url, image).state == "current"


def require(engine_url: str, image: str) -> None:
    """Raise the sentence to show when the image is not there as this version would build it."""
    with _engine(engine_url, _ASK_S) as client:
        require_on(client, image)


def require_on(client: docker.APIClient, image: str) -> None:
    """The same, for who has a client already: to make one takes ten times as long as to ask it this."""
    found = _state(client, recipe(image))
    match found.state:
        case "missing":
            raise ImageMissing(f"The engine has no image {found.tag}; {how_to_build(image)}")
        case "outdated":
            raise ImageOutdated(f"The image {found.tag} was built by another version; {how_to_build(image)}")
        case "current":
            return


def require_current(client: docker.APIClient, image: str) -> None:
    """One of ours must be this version's: another's agent speaks another language."""
    repository, _, name = image.partition("/")
    if repository == REPOSITORY and name in known_images():
        require_on(client, name)


def how_to_build(image: str) -> str:
    """The next step: what is built without being named is not named."""
    named = "" if image in (*_ALWAYS, *DEFAULT_IMAGES) else f" {image}"
    return f"{_NEXT}{named}"


def how_to_get(image: str, environment: str) -> str:
    """The next step where the engine does not have what an environment is made of."""
    repository, _, name = image.partition(":")[0].partition("/")
    if repository == REPOSITORY:
        return how_to_build(name)
    return f"pull it (docker pull {image}) or build it, or give environment {environment} another in the settings"


def state(engine_url: str, image: str) -> ImageState:
    with _engine(engine_url, _ASK_S) as client:
        return _state(client, recipe(image))


def list_images(engine_url: str) -> list[ImageState]:
    with _engine(engine_url, _ASK_S) as client:
        return [_state(client, recipe(image)) for image in known_images()]


@contextmanager
def _engine(engine_url: str, timeout_s: int) -> Iterator[docker.APIClient]:
    try:
        with docker_client(engine_url, timeout_s) as client:
            yield client
    except (docker.errors.DockerException, requests.RequestException, Unreachable) as error:
        reason = FULL_DISK if is_full_disk(str(error)) else first_line(error)
        raise BuildFailed(f"The engine at {engine_url} failed: {reason}") from error


def _read_bundle(ca_bundle: Path | None) -> bytes:
    if ca_bundle is None:
        return b""
    try:
        return ca_bundle.read_bytes()
    except OSError as error:
        raise BuildFailed(f"The CA bundle {ca_bundle} cannot be read: {error.strerror}.") from error


def _inspect(client: docker.APIClient, tag: str) -> dict[str, Any] | None:
    try:
        return dict(client.inspect_image(tag))  # type: ignore[no-untyped-call]  # docker's types leave it out
    except docker.errors.ImageNotFound:
        return None


def _labels(found: dict[str, Any]) -> dict[str, str]:
    return found.get("Config", {}).get("Labels") or {}


def _is_current(client: docker.APIClient, made: Recipe, bundle: bytes) -> bool:
    found = _inspect(client, made.tag)
    if found is None or _labels(found).get(BUILD_LABEL) != made.digest:
        return False
    return not bundle or _labels(found).get(CA_LABEL) == ca_digest(bundle)


def _state(client: docker.APIClient, made: Recipe, seconds: float = 0.0) -> ImageState:
    found = _inspect(client, made.tag)
    if found is None:
        return ImageState(made.image, made.tag, "missing")
    same = _labels(found).get(BUILD_LABEL) == made.digest
    made_from = _labels(found).get("sandgate.from", "")
    return ImageState(made.image, made.tag, "current" if same else "outdated", found["Size"], made_from, seconds)


def _find_debian(client: docker.APIClient, on_progress: OnProgress, *, force: bool) -> str:
    """The image to start FROM: one that is here, the registry's, or our own from Debian's packages."""
    here = [tag for tag in (_UPSTREAM, _OWN_DEBIAN) if not force and _inspect(client, tag) is not None]
    if here:
        return here[0]
    on_progress(Step(DEBIAN, f"asking the registry for {_UPSTREAM}"))
    try:
        client.pull(_UPSTREAM.partition(":")[0], tag=_UPSTREAM.partition(":")[2])
    except (docker.errors.APIError, requests.RequestException):
        on_progress(Step(DEBIAN, "no registry answers, so it is made of Debian's packages"))
        return _make_debian(client, on_progress)
    on_progress(Step(DEBIAN, f"{_UPSTREAM} came from the registry", over=True))
    return _UPSTREAM


def _make_debian(client: docker.APIClient, on_progress: OnProgress) -> str:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sandgate-debian-") as folder:
        out = Path(folder) / "debian.tar"
        try:
            bootstrap(out, lambda phase: on_progress(_phase(phase)))
        except NoDebian as error:
            failure = NothingToBuildOn if isinstance(error, NoMmdebstrap) else BuildFailed
            raise failure(
                f"Neither a registry nor mmdebstrap could provide Debian: {error}. {error.advice or 'Mend that'}, or load "
                f"{_UPSTREAM} into the engine (docker load), then {_NEXT}",
                error.log,
            ) from error
        on_progress(Step(DEBIAN, f"giving its {out.stat().st_size / 1e6:.0f} MB to the engine"))
        client.import_image_from_file(str(out), repository=_OWN_DEBIAN.partition(":")[0], tag=SUITE)
    on_progress(Step(DEBIAN, f"made of Debian's packages in {time.monotonic() - started:.0f} s", over=True))
    return _OWN_DEBIAN


def _phase(phase: str) -> Step:
    return Step(DEBIAN, phase, PHASES.index(phase), len(PHASES))


def _build_image(
    client: docker.APIClient,
    made: Recipe,
    debian: str,
    bundle: bytes,
    on_progress: OnProgress,
    *,
    force: bool,
    proxies: Mapping[str, str],
) -> None:
    before = _inspect(client, made.tag)
    start = {"DEBIAN": debian} if made.image == BASE else {"BASE": recipe(BASE).tag}
    labels = {BUILD_LABEL: made.digest, CA_LABEL: ca_digest(bundle) if bundle else "", "sandgate.from": debian}
    _run(client, made, {**proxies, **start}, labels, bundle, on_progress, nocache=force)
    after = _inspect(client, made.tag)
    if before and after and before["Id"] != after["Id"]:
        with suppress(docker.errors.APIError):  # a sandbox still runs on it: its removal is the engine's prune
            client.remove_image(before["Id"])


def _run(
    client: docker.APIClient,
    made: Recipe,
    args: dict[str, str],
    labels: dict[str, str],
    bundle: bytes,
    on_progress: OnProgress,
    *,
    nocache: bool,
) -> None:
    events = client.build(
        fileobj=context(made, bundle),
        custom_context=True,
        dockerfile=f"{made.image}/Dockerfile",
        tag=made.tag,
        buildargs=args,
        labels=labels,
        network_mode=_network(client),
        nocache=nocache,
        rm=True,
        forcerm=True,
        decode=True,
    )
    _follow(events, made.image, on_progress)


def _network(client: docker.APIClient) -> str | None:
    return "host" if HOST_NETWORK_LABEL in (client.info().get("Labels") or ()) else None


def _follow(events: Iterator[dict[str, Any]], image: str, on_progress: OnProgress) -> None:
    log: list[str] = []
    failure = ""
    lines = AptLines(f"{REPOSITORY}/{image}")
    for event in events:  # to its end even after a failure, or the connection is left open
        failure = failure or str(event.get("error", "")).strip()
        for line in filter(None, _COLOUR.sub("", str(event.get("stream", ""))).splitlines()):
            log.append(line)
            on_progress(lines.read(line.strip()))
    if failure:
        said = "\n".join([*log, failure])
        reason = "; ".join(filter(None, (shortened(failure), trouble(said))))
        raise BuildFailed(f"Building {REPOSITORY}/{image} failed: {reason}; then {_NEXT}", "\n".join(log[-15:]))
