"""Our images on an engine: whether they are there and current, and how they get there. The `docker` package's errors stop here."""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import docker
import docker.errors
import requests

from server.sandbox.agent_volume import ensure, tidy
from server.sandbox.debian import SUITE, NoDebian, bootstrap
from server.sandbox.docker_client import docker_client
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
_STEP: Final = re.compile(r"Step (\d+)/(\d+) : (.*)")
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


@dataclass(frozen=True, slots=True)
class Step:
    """Progress: `done` of `total` steps of this image; both 0 while their number is not known."""

    image: str
    sentence: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class ImageState:
    """`size` in bytes, 0 when missing; `made_from` is the image it was built on; `seconds` is 0 when nothing was built."""

    image: str
    tag: str
    state: Literal["current", "outdated", "missing"]
    size: int = 0
    made_from: str = ""
    seconds: float = 0.0


type OnProgress = Callable[[Step], None]


def build(
    engine_url: str,
    images: Sequence[str] = (),
    ca_bundle: Path | None = None,
    on_progress: OnProgress = lambda _: None,
    *,
    force: bool = False,
) -> list[ImageState]:
    """Build those that are missing or outdated, and what every sandbox needs with them; `force` builds all anew with the
    packages of today. None named: the default ones, and whatever was built before.

    Without `ca_bundle` a current image stays as it is, whatever it was built with; an outdated one is built without.
    """
    bundle = _read_bundle(ca_bundle)
    named = [recipe(image) for image in images]  # before anything is built, or asked
    took: dict[str, float] = {}
    with _engine(engine_url, _SILENCE_S) as client:
        recipes = _with_what_they_need(named or _usual(client))
        wanted = [made for made in recipes if force or not _is_current(client, made, bundle)]
        debian = _find_debian(client, on_progress, force=force) if wanted else ""
        for made in wanted:
            started = time.monotonic()
            _build_image(client, made, debian, bundle, on_progress, force=force)
            took[made.image] = time.monotonic() - started
        _fill_volume(client)
        return [_state(client, made, took.get(made.image, 0.0)) for made in recipes]


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


def how_to_build(image: str) -> str:
    """The next step: what is built without being named is not named."""
    named = "" if image in (*_ALWAYS, *DEFAULT_IMAGES) else f" {image}"
    return f"{_NEXT}{named}"


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
        raise BuildFailed(f"The engine at {engine_url} failed: {_first_line(error)}") from error


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
    on_progress(Step(BASE, f"Asking the registry for {_UPSTREAM}"))
    try:
        client.pull(_UPSTREAM.partition(":")[0], tag=_UPSTREAM.partition(":")[2])
    except (docker.errors.APIError, requests.RequestException) as error:
        on_progress(Step(BASE, f"No registry answers ({_first_line(error)}): making it with mmdebstrap, about 20 s"))
        return _make_debian(client, on_progress)
    return _UPSTREAM


def _make_debian(client: docker.APIClient, on_progress: OnProgress) -> str:
    with tempfile.TemporaryDirectory(prefix="sandgate-debian-") as folder:
        out = Path(folder) / "debian.tar"
        try:
            bootstrap(out, lambda line: on_progress(Step(BASE, f"mmdebstrap: {line}")))
        except NoDebian as error:
            raise BuildFailed(
                f"Neither a registry nor mmdebstrap could provide Debian: {error}. Install mmdebstrap or load "
                f"{_UPSTREAM} into the engine (docker load), then {_NEXT}"
            ) from error
        on_progress(Step(BASE, f"Importing {out.stat().st_size / 1e6:.0f} MB into the engine"))
        client.import_image_from_file(str(out), repository=_OWN_DEBIAN.partition(":")[0], tag=SUITE)
    return _OWN_DEBIAN


def _build_image(
    client: docker.APIClient, made: Recipe, debian: str, bundle: bytes, on_progress: OnProgress, *, force: bool
) -> None:
    before = _inspect(client, made.tag)
    args = {"DEBIAN": debian} if made.image == BASE else {"BASE": recipe(BASE).tag}
    labels = {BUILD_LABEL: made.digest, CA_LABEL: ca_digest(bundle) if bundle else "", "sandgate.from": debian}
    _run(client, made, args, labels, bundle, on_progress, nocache=force)
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
    done = total = 0
    for event in events:  # to its end even after a failure, or the connection is left open
        failure = failure or str(event.get("error", "")).strip()
        for line in filter(None, str(event.get("stream", "")).splitlines()):
            log.append(line)
            if step := _STEP.match(line):
                done, total = int(step[1]) - 1, int(step[2])
            on_progress(Step(image, line.strip(), done, total))
    if failure:
        raise BuildFailed(f"Building {REPOSITORY}/{image} failed: {failure}; {_NEXT}", "\n".join(log[-15:]))


def _first_line(error: Exception) -> str:
    return (str(getattr(error, "explanation", None) or error).splitlines() or [type(error).__name__])[0]
