"""What apt and the image builder print, read for a person: how far it is, and what went wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_BUILD_STEP: Final = re.compile(r"Step (\d+)/(\d+) : ")
_COUNTED: Final = re.compile(r"(?:(\d+) upgraded, )?(\d+) newly installed")
_FETCHED: Final = re.compile(r"Get:(\d+) ")
_SHELL_ENDED: Final = re.compile(r"The command '.*' returned a non-zero code: (\d+)", re.DOTALL)
FULL_DISK: Final = "the disk is full: free some space (docker system prune removes what an engine no longer uses)"
_FULL: Final = ("no space left on device", "have enough free space")
_TROUBLES: Final = (
    *((words, FULL_DISK) for words in _FULL),
    (
        "certificate verif",
        "a certificate is not trusted: name your network's own with --ca-bundle FILE (make: CA_BUNDLE=FILE)",
    ),
    ("unexpected size", "Debian's mirror is being updated: wait some minutes"),
    ("hash sum mismatch", "Debian's mirror is being updated: wait some minutes"),
    *(
        (words, "Debian's mirror cannot be reached: check the network, or set http_proxy if you have a proxy")
        for words in (
            *("temporary failure resolving", "could not resolve", "could not connect", "unable to connect"),
            *("connection failed", "connection timed out", "network is unreachable", "failed to fetch"),
        )
    ),
)


@dataclass(frozen=True, slots=True)
class Step:
    """Progress: `done` of `total` of this image; both 0 while that is not known. `over`: this image is finished."""

    image: str
    sentence: str
    done: int = 0
    total: int = 0
    over: bool = False


type OnProgress = Callable[[Step], None]


class AptLines:
    """The lines of one apt run, or of one image's build, in the order they come."""

    def __init__(self, image: str) -> None:
        self._image = image
        self._sentence = "reading Debian's package lists"
        self._packages = self._fetched = self._unpacked = self._set_up = 0

    def read(self, line: str) -> Step:
        """How far it is after this line."""
        if step := _BUILD_STEP.match(line):
            self._packages = self._fetched = self._unpacked = self._set_up = 0
            self._sentence = f"step {step[1]} of {step[2]}"
        elif counted := _COUNTED.search(line):
            self._packages = int(counted[1] or 0) + int(counted[2])
        elif fetched := _FETCHED.match(line):
            self._fetched = int(fetched[1])
            self._sentence = "reading Debian's package lists"
            if self._packages:
                self._sentence = f"downloading {self._fetched} of {self._packages} packages"
        elif line.startswith("Unpacking "):
            self._unpacked += 1
            self._sentence = f"unpacking {self._unpacked} of {self._packages} packages"
        elif line.startswith("Setting up "):
            self._set_up += 1
            self._sentence = f"setting up {self._set_up} of {self._packages} packages"
        elif self._packages and self._set_up == self._packages:
            self._sentence = "tidying up"
        done = min(self._fetched, self._packages) + self._unpacked + self._set_up if self._packages else 0
        return Step(self._image, self._sentence, done, 3 * self._packages)


def trouble(log: str) -> str:
    """What went wrong and what a person does about it, where the lines of a failed run tell; else nothing."""
    lowered = log.lower()
    return next((sentence for words, sentence in _TROUBLES if words in lowered), "")


def is_full_disk(log: str) -> bool:
    """Whether it says that there was no room; also of an engine's log."""
    lowered = log.lower()
    return any(words in lowered for words in _FULL)


def shortened(failure: str) -> str:
    """The builder quotes the whole script that failed; its code is enough beside the last lines of what it printed."""
    return _SHELL_ENDED.sub(r"a step ended with code \1", failure)
