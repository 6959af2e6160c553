"""One snapshot of a sandbox's file system: what it is of, whose, and how a sandbox is made of it again."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from server.sandbox.sandbox import SandboxSpec

REPOSITORY: Final = "sandgate-snapshot"  # of the images; the tag is the snapshot's id
NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

type Kind = Literal["named", "parked", "prepared"]
type Tell = Callable[[str], None]  # what is being done, for whoever waits; called from a thread


class SnapshotFailed(Exception):
    """A snapshot could not be taken or deleted; nothing half-made is left, and the sentence says what to do."""


class ImageGone(SnapshotFailed):
    """The engine answers, and has no image of that name."""


class NoSuchSnapshot(Exception):
    """The caller has no snapshot of that name, whoever else may have one."""


class WrongEnvironment(Exception):
    """A snapshot was to be started in another environment than that which it was taken in."""


class BadSnapshotName(Exception):
    """A snapshot's name is empty, too long, or has characters that are not allowed."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Files of a sandbox as they were at `created` (seconds since 1970). A sandbox is made from `image`.

    size_bytes: what it adds to the image its source was made from. user: uid and gid of its source's commands.
    left_out: folders of its source that are not part of it.
    """

    id: str
    name: str
    owner: str
    kind: Kind
    image: str
    environment: str
    size_bytes: int
    created: float
    user: tuple[int, int]
    left_out: tuple[str, ...] = ()

    def spec(self, environment: SandboxSpec) -> SandboxSpec:
        """How a sandbox of it is made; its files belong to its source's user, so that is who commands run as.

        Raises WrongEnvironment.
        """
        if environment.environment != self.environment:
            raise WrongEnvironment(
                f"snapshot {self.name} is of environment {self.environment}, not {environment.environment}; "
                "leave environment out"
            )
        return replace(environment, image=self.image, user=self.user)

    def row(self) -> dict[str, Any]:
        """As the database has it; `used` begins with its making."""
        return {
            "id": self.id,
            "name": self.name,
            "owner": self.owner,
            "kind": self.kind,
            "image": self.image,
            "environment": self.environment,
            "size_bytes": self.size_bytes,
            "created": self.created,
            "used": self.created,
            "user": "{}:{}".format(*self.user),
            "left_out": "\n".join(self.left_out),
        }

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Snapshot":
        uid, _, gid = str(row["user"]).partition(":")
        return cls(
            id=row["id"],
            name=row["name"],
            owner=row["owner"],
            kind=row["kind"],
            image=row["image"],
            environment=row["environment"],
            size_bytes=row["size_bytes"],
            created=row["created"],
            user=(int(uid), int(gid)),
            left_out=tuple(row["left_out"].split("\n")) if row["left_out"] else (),
        )

    def facts(self) -> dict[str, Any]:
        """As a line of the audit has it."""
        facts = ("name", "owner", "environment", "size_bytes", "image")
        return {"snapshot": self.id, "kept_as": self.kind} | {fact: getattr(self, fact) for fact in facts}


@dataclass(frozen=True, slots=True)
class Committed:
    image: str
    size_bytes: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A snapshot's image as the engine has it, whoever made it. size_bytes: with all that it stands on."""

    id: str
    names: tuple[str, ...]
    labels: dict[str, str]
    in_use: bool
    size_bytes: int


def checked(name: str) -> str:
    """Raises BadSnapshotName."""
    if not NAME.fullmatch(name):
        raise BadSnapshotName(f"{name!r:.80} is no name for a snapshot: 1 to 64 letters, digits, dots, dashes, _")
    return name
