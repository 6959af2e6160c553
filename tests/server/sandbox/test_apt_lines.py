import pytest

from server.sandbox.apt_lines import AptLines, Step, shortened, trouble

BUILD = """\
Step 5/10 : RUN set -eu; apt-get -q update
Get:1 http://deb.example trixie InRelease [140 kB]
Fetched 10.0 MB in 1s (9999 kB/s)
0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.
Get:1 http://deb.example trixie/main amd64 libmpfr6 amd64 4.2.2-1 [700 kB]
Get:2 http://deb.example trixie/main amd64 gawk amd64 5.2 [700 kB]
Selecting previously unselected package libmpfr6:amd64.
Unpacking libmpfr6:amd64 (4.2.2-1) ...
Setting up libmpfr6:amd64 (4.2.2-1) ...
Unpacking gawk (1:5.2) ...
Setting up gawk (1:5.2) ...
Processing triggers for libc-bin (2.41) ...
Step 6/10 : ENV HOME=/home/agent
"""


def test_a_build_is_told_in_packages() -> None:
    lines = AptLines("base")
    steps = [lines.read(line) for line in BUILD.splitlines()]

    assert [(step.sentence, step.done, step.total) for step in steps] == [
        ("step 5 of 10", 0, 0),
        ("reading Debian's package lists", 0, 0),
        ("reading Debian's package lists", 0, 0),
        ("reading Debian's package lists", 1, 6),
        ("downloading 1 of 2 packages", 1, 6),
        ("downloading 2 of 2 packages", 2, 6),
        ("downloading 2 of 2 packages", 2, 6),
        ("unpacking 1 of 2 packages", 3, 6),
        ("setting up 1 of 2 packages", 4, 6),
        ("unpacking 2 of 2 packages", 5, 6),
        ("setting up 2 of 2 packages", 6, 6),
        ("tidying up", 6, 6),
        ("step 6 of 10", 0, 0),
    ]


def test_what_is_no_apt_is_told_as_it_began() -> None:
    assert AptLines("engine").read("anything else") == Step("engine", "reading Debian's package lists")


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("E: Failed to fetch http://x  Could not connect to 127.0.0.1:9", "check the network, or set http_proxy"),
        ("Err:1 https://x  SSL connection failed: certificate verify failed", "--ca-bundle FILE"),
        ("Write error - write (28: No space left on device)\nE: Failed to fetch", "the disk is full"),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "the disk is full"),
        ("gcc: error: keeper.c", ""),
    ],
)
def test_a_failure_says_what_to_do_where_its_lines_tell(log: str, told: str) -> None:
    assert (told in trouble(log)) if told else trouble(log) == ""


def test_a_script_that_failed_is_not_quoted() -> None:
    quoted = "The command '/bin/sh -c set -eu;\n apt-get' returned a non-zero code: 100"

    assert shortened(quoted) == "a step ended with code 100"
    assert shortened("no such file") == "no such file"
