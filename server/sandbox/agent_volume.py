"""The volume that every sandbox finds its agent in: filled once from the agent's image, removed when nothing uses it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import docker
import docker.errors
from docker.types import Mount

from server.sandbox.sandbox import AGENT, MIB

PREFIX: Final = "sandgate-agent-"
LABEL: Final = "sandgate.agent"
_DIGITS: Final = 12
_FILL_S: Final = 120  # measured: 0.3 s; 15 MB on a slow disk take longer
_STATIC: Final = AGENT[0]
# Whole or not at all, whoever else does the same or dies at it: a rename comes last, and of two the second gives way.
_FILL: Final = f"""
[ -e /fill/runtime ] && exit 0
do={_STATIC} made=/fill/.$HOSTNAME
$do cp -a /opt/sandgate/runtime "$made" && $do find "$made" -type f -exec $do sync {{}} + || exit 1
$do mv -T "$made" /fill/runtime 2>/dev/null || [ -e /fill/runtime ] || exit 1
$do rm -rf "$made"
"""


class NotFilled(Exception):
    """The agent's volume could not be filled."""


def name_of(image_id: str) -> str:
    """The volume's name, by the digest of the image that it is filled from."""
    return PREFIX + image_id.removeprefix("sha256:")[:_DIGITS]


def ensure(api: docker.APIClient, image_id: str) -> str:
    """Fill it where the engine has none of that name; the name."""
    try:
        api.inspect_volume(name_of(image_id))
    except docker.errors.NotFound:
        return fill(api, image_id)
    return name_of(image_id)


def fill(api: docker.APIClient, image_id: str) -> str:
    """The volume's name, after the agent is in it for certain. Raises NotFilled."""
    name = name_of(image_id)
    api.create_volume(name, labels={LABEL: image_id})
    with _container(api, image_id, name) as filler:
        api.start(filler)
        code = api.wait(filler, timeout=_FILL_S)["StatusCode"]
        if code != 0:
            said = api.logs(filler, tail=3).decode("utf-8", "replace").strip()
            raise NotFilled(f"the agent could not be put into the volume {name}: {said or f'exit code {code}'}")
    return name


def tidy(api: docker.APIClient, kept: str) -> None:
    """Remove the volumes of other builds of the agent, except those that a sandbox still has, and what a server that was
    killed while it filled one has left."""
    for volume in api.volumes(filters={"name": PREFIX})["Volumes"] or ():
        if volume["Name"] != kept and volume["Name"].startswith(PREFIX):
            with suppress(docker.errors.APIError):  # in use: it goes at a later look
                api.remove_volume(volume["Name"])
    for entry in api.containers(all=True, filters={"label": LABEL}):
        if entry["Created"] < time.time() - 2 * _FILL_S:
            with suppress(docker.errors.APIError):  # another server was first
                api.remove_container(entry["Id"], force=True, v=True)


@contextmanager
def _container(api: docker.APIClient, image_id: str, volume: str) -> Iterator[str]:
    """Powerless as far as a copy allows: no network, no capability, nothing to write but the volume."""
    host: dict[str, Any] = api.create_host_config(
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        mem_limit=256 * MIB,
        pids_limit=64,
        mounts=[Mount("/fill", volume, no_copy=True)],
    )
    command = ["sh", "-c", _FILL]
    made = api.create_container(
        image_id, command, entrypoint=[_STATIC], user="0:0", labels={LABEL: ""}, host_config=host
    )["Id"]
    try:
        yield made
    finally:
        api.remove_container(made, force=True, v=True)
