import anyio
import pytest

from server.sandbox.allow_list import AllowList, HostNotAllowed, covers, demand, listed, narrowed

ALLOW = ("docs.example", "*.pkg.example", "api.example:8443", {"host": "data.example", "methods": ["GET"]})


@pytest.mark.parametrize(
    ("host", "spoken_of"),
    [
        ("docs.example", True),
        ("DOCS.example.", True),
        ("docs.example:443", True),
        ("docs.example:8443", False),
        ("a.pkg.example", True),
        ("pkg.example", False),
        ("api.example", False),
        ("api.example:8443", True),
    ],
)
def test_a_list_speaks_of_its_hosts_and_no_others(host: str, spoken_of: object) -> None:
    assert any(covers(entry, host) for entry in ALLOW) is spoken_of


@pytest.mark.promise("egress.only_gate")
def test_what_an_entry_is_bound_to_stays_bound_where_a_session_names_the_host_itself() -> None:
    assert narrowed(ALLOW, ["data.example", "docs.example", "evil.example"]) == (
        {"host": "data.example", "methods": ["GET"]},
        "docs.example",
    )


def test_a_host_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(HostNotAllowed, match=r"evil\.example is not among the allowed hosts: docs\.example"):
        demand(ALLOW, ["docs.example", "evil.example"])
    assert listed(()) == "none (the network is closed)"


@pytest.mark.promise("egress.only_gate")
def test_what_is_asked_about_stays_asked_about_where_a_session_names_the_host_itself() -> None:
    ask = [{"host": "*", "ask": True}, {"host": "*.docs.example", "ask": True, "methods": ["GET"]}]
    assert narrowed(ask, ["a.docs.example"]) == (
        {"host": "a.docs.example", "ask": True},
        {"host": "a.docs.example", "ask": True, "methods": ["GET"]},
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "*"])
def test_any_name_is_no_address_and_not_everything(host: str) -> None:
    assert not covers({"host": "*", "ask": True}, host)


class SlowPolicy:
    """Answers what was in force when it was asked, once it may."""

    def __init__(self, *entries: str) -> None:
        self.entries: tuple[str, ...] | None = entries
        self.may = anyio.Event()
        self.may.set()

    async def __call__(self, _: tuple[str, ...]) -> tuple[str, ...] | None:
        answer = self.entries
        await self.may.wait()
        return answer

    def change(self, *entries: str) -> None:
        """Whoever has asked gets its answer later than who asks now."""
        self.entries, self.may = entries, anyio.Event()
        self.may.set()


@pytest.mark.anyio
@pytest.mark.promise("egress.only_gate")
@pytest.mark.parametrize("known", [False, True])
async def test_what_a_policy_answers_that_was_changed_meanwhile_is_forgotten(known: object) -> None:
    policy = SlowPolicy("old.example")
    allow = AllowList(policy)
    if known:
        await allow.learn(("user",))
    slow = policy.may = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(*((allow.learn_anew,) if known else (allow.learn, ("user",))))
        await anyio.wait_all_tasks_blocked()
        policy.change("new.example")
        await allow.learn_anew()
        slow.set()

    assert allow.of("base", roles=("user",)) == ("new.example",)


@pytest.mark.anyio
async def test_two_changes_of_a_policy_that_does_not_answer_end_nothing() -> None:
    policy = SlowPolicy("old.example")
    allow = AllowList(policy)
    await allow.learn(())
    policy.entries, policy.may = None, anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(allow.learn_anew)
        tasks.start_soon(allow.learn_anew)
        await anyio.wait_all_tasks_blocked()
        policy.may.set()

    assert not allow.knows(())
