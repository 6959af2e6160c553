from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio
import anyio.abc
import pytest

from server.sandbox.egress_link import AllowEntry, EgressLink, GateDown
from server.sandbox.gate import BUNDLE, JAVA_STORE, Gate, added, variables
from tests.waiting import eventually

pytestmark = pytest.mark.anyio


class FakeLink(EgressLink):
    """A link without a process: it notes what it is told, and can be down."""

    def __init__(self, *, down: bool = False) -> None:
        self.down, self.said = down, list[tuple[str, object]]()
        self.made = Path()  # where its certificate will be

    def start(self) -> None:
        self.said.append(("start", None))

    async def trusted(self) -> Path:
        if self.down:
            raise GateDown("it is down")
        self.made.write_text("OUR NEW CERTIFICATE\n")
        return self.made

    async def open(
        self,
        session: str,
        socket_path: Path,
        allow: Sequence[AllowEntry] | None = None,
        placeholders: Mapping[str, str] | None = None,
        decisions: tuple[str, ...] = (),
    ) -> None:
        await anyio.lowlevel.checkpoint()
        self.said.append(("calls", decisions))
        if self.down:
            raise GateDown("it is down")
        self.said.append(("open", socket_path.name))

    async def bind(self, session: str, allow: Sequence[AllowEntry]) -> None:
        self.said.append(("bind", tuple(allow)))

    def calls(self, session: str, decisions: Sequence[str]) -> None:
        self.said.append(("calls", tuple(decisions)))

    async def close(self, session: str) -> None:
        self.said.append(("close", session))


def gate(folder: Path, link: FakeLink, tasks: anyio.abc.TaskGroup) -> Gate:
    (folder / "box").mkdir()
    authority = folder / "authority.pem"
    authority.write_text("OUR CERTIFICATE\n")
    (folder / JAVA_STORE).write_text("THE SAME FOR JAVA\n")
    roots = folder / "roots.pem"
    roots.write_text("THEIR CERTIFICATES\n")
    return Gate(link, folder, authority, roots, tasks)


@pytest.mark.promise("egress.start_refused")
async def test_the_list_is_bound_after_the_listener_is_there(tmp_path: Path) -> None:
    link = FakeLink()
    async with anyio.create_task_group() as tasks:
        ours = gate(tmp_path, link, tasks)
        await ours.attach("box", None)
        ours.bind("box", ("docs.example",))
        ours.calls("box", ("d-1",))

    said = [what for what in link.said if what[0] != "calls"]
    assert said == [("start", None), ("open", "egress.sock"), ("bind", ("docs.example",))]
    assert link.said[-1][0] == "bind" or ("calls", ("d-1",)) in link.said


async def test_a_call_that_begins_is_told_at_once_and_one_that_ended_with_the_next_or_a_moment_later(
    tmp_path: Path,
) -> None:
    link = FakeLink()

    def told() -> list[object]:
        return [what for kind, what in link.said if kind == "calls"]

    async with anyio.create_task_group() as tasks:
        ours = gate(tmp_path, link, tasks)
        await ours.attach("box", None)
        await anyio.wait_all_tasks_blocked()
        link.said.clear()
        for running in (("d-1",), (), ("d-2",), ("d-2", "d-3"), ("d-3",), ()):
            ours.calls("box", running)
        at_once = told()
        await eventually(lambda: told()[-1] == ())

    assert at_once == [("d-1",), ("d-2",), ("d-2", "d-3")]
    assert told() == [*at_once, ()]


async def test_a_sandbox_trusts_the_gate_and_the_system(tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks:
        await gate(tmp_path, FakeLink(), tasks).attach("box", None)

    assert (tmp_path / "box" / BUNDLE).read_text() == "OUR CERTIFICATE\nTHEIR CERTIFICATES\n"
    assert (tmp_path / "box" / JAVA_STORE).read_text() == "THE SAME FOR JAVA\n"


@pytest.mark.parametrize("down", [False, True])
async def test_in_the_very_first_start_the_certificate_is_waited_for_and_not_the_gate(
    tmp_path: Path, *, down: bool
) -> None:
    link = FakeLink(down=down)
    async with anyio.create_task_group() as tasks:
        ours = gate(tmp_path, link, tasks)
        ours.expect()
        assert link.said == []
        link.made = tmp_path / "authority.pem"
        link.made.unlink()
        ours.expect()
        assert link.said == [("start", None)]
        await ours.attach("box", None)
        assert ("open", "egress.sock") not in link.said
        trusted = (tmp_path / "box" / BUNDLE).read_text()

    assert trusted == ("" if down else "OUR NEW CERTIFICATE\n") + "THEIR CERTIFICATES\n"


async def test_where_another_servers_gate_has_made_but_one_of_the_two_it_is_waited_for(tmp_path: Path) -> None:
    """A Java that starts with an empty store believes nobody as long as it runs."""
    link = FakeLink()
    async with anyio.create_task_group() as tasks:
        ours = gate(tmp_path, link, tasks)
        (tmp_path / JAVA_STORE).rename(tmp_path / "later")
        link.trusted = partial(store_is_made, tmp_path / "later", tmp_path / JAVA_STORE)  # type: ignore[method-assign]
        await ours.attach("box", None)

        assert (tmp_path / "box" / JAVA_STORE).read_text() == "THE SAME FOR JAVA\n"


async def store_is_made(draft: Path, store: Path) -> Path:
    return draft.rename(store)


async def test_a_store_that_is_renewed_is_never_half_there(tmp_path: Path) -> None:
    """Each gate that starts writes another: whoever has the former one open reads that to its end."""
    async with anyio.create_task_group() as tasks:
        ours = gate(tmp_path, FakeLink(), tasks)
        await ours.attach("box", None)
        with (tmp_path / "box" / JAVA_STORE).open() as read:
            (tmp_path / JAVA_STORE).write_text("ANOTHER\n")
            await eventually(lambda: (tmp_path / "box" / JAVA_STORE).read_text() == "ANOTHER\n")

            assert read.read() == "THE SAME FOR JAVA\n"


async def test_a_folder_that_takes_no_writes_any_more_ends_no_server(tmp_path: Path) -> None:
    """What is renewed is renewed by a task of the server's own: what it raises, all would end with."""
    async with anyio.create_task_group() as tasks:
        ours = gate(tmp_path, FakeLink(), tasks)
        await ours.attach("box", None)
        (tmp_path / JAVA_STORE).write_text("ANOTHER\n")
        (tmp_path / "box" / f".{JAVA_STORE}").mkdir()

    assert (tmp_path / "box" / JAVA_STORE).read_text() == "THE SAME FOR JAVA\n"


async def test_a_gate_that_is_down_holds_nobody_up(tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks:
        ours = gate(tmp_path, FakeLink(down=True), tasks)
        await ours.attach("box", None)
        ours.bind("box", ())


async def test_detaching_closes_once(tmp_path: Path) -> None:
    link = FakeLink()
    async with anyio.create_task_group() as tasks:
        ours = gate(tmp_path, link, tasks)
        await ours.attach("box", None)
        await ours.detach("box")
        await ours.detach("box")

    assert [what for what, _ in link.said].count("close") == 1


def test_commands_find_certificates_and_proxy_in_their_environment() -> None:
    found = variables("/run/sandgate")

    assert found["SSL_CERT_FILE"] == found["GIT_SSL_CAINFO"] == "/run/sandgate/ca.pem"
    assert found["HTTPS_PROXY"] == found["https_proxy"]
    assert "localhost" in found["NO_PROXY"]


def test_what_an_image_tells_its_java_stays_in_force() -> None:
    ours = variables("/run/sandgate")

    assert added({"JAVA_TOOL_OPTIONS": "-Xmx64m", "PATH": "/bin"}, ours)["JAVA_TOOL_OPTIONS"] == (
        "-Xmx64m -Djavax.net.ssl.trustStore=/run/sandgate/java.p12"
    )
    assert added({"PATH": "/bin"}, ours) == {"PATH": "/bin", **ours}
