"""The audit of a real server, sent on as the settings say."""

from pathlib import Path

import pytest

from server.record.chain import anchors
from server.record.reading import lines, verify
from server.settings.files import load
from server.settings.settings import BadSettings
from tests.end_to_end.rig import Home, RawServer
from tests.server.record.receivers import Posts, collector, documents
from tests.waiting import until


@pytest.mark.promise("audit.exported")
def test_every_line_of_a_server_arrives_with_its_last(folder: Path) -> None:
    with collector() as posts:
        settings = f'[[audit.export]]\nname = "far"\nkind = "https"\nurl = "{posts.url}"\n'
        home = Home(folder, settings)
        server = RawServer.start(home)
        server.ask("tools/call", {"name": "session_list", "arguments": {}})
        assert server.process.stdin is not None
        server.process.stdin.close()
        server.process.wait(60)
        server.wait()
        arrived = [made["kind"] for _, body in posts.heard.messages for made in documents(body)]

    assert arrived == [line["kind"] for line in home.audit()]
    assert arrived[0] == "server.started"
    assert arrived[-1] == "server.ended"


@pytest.mark.promise("audit.exported", "audit.chain")
def test_two_servers_that_rotate_one_file_leave_one_chain_and_each_line_arrives_once(folder: Path) -> None:
    with collector() as posts:
        far = f'[[audit.export]]\nname = "far"\nkind = "https"\nurl = "{posts.url}"\n'
        limits = "[limits]\ncalls_per_second = 100000\nburst = 100000\n"
        home = Home(folder / "two", f"{limits}[audit]\nrotate_mb = 1\n{far}")
        home.folder.mkdir()
        first, second = servers = [RawServer.start(home) for _ in range(2)]
        for number in range(500):
            told = {"path": f"/tmp/{number}{'x' * 4000}"}
            servers[number % 2].ask("tools/call", {"name": "policy_check", "arguments": told})
        path = home.folder / "state/audit/audit.jsonl"
        _end(first)
        written = verify(path).count  # the second sends what the first had not, if it was that which sent
        until(lambda: _sequences(posts)[-1:] >= [written], "what was written has not arrived")
        arrived = _sequences(posts)
        _end(second)

    found = verify(path)
    assert found.files >= 3
    assert arrived == list(range(1, len(arrived) + 1))
    assert len({line["server"] for _, line in lines(path) if line["kind"] == "server.ended"}) == 2
    assert verify(path, anchors(str(found.head))).head == found.head


def _end(server: RawServer) -> None:
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.wait() == 0


def _sequences(posts: Posts) -> list[int]:
    return [made["sequence"] for _, body in list(posts.heard.messages) for made in documents(body)]


@pytest.mark.parametrize(
    ("export", "said"),
    [
        ('name = "a"\nkind = "syslog"\nurl = "udp://host.example"', "no address for syslog"),
        ('name = "a"\nkind = "syslog"\nurl = "https://host.example"', "no address for syslog"),
        ('name = "a"\nkind = "https"\nurl = "http://host.example/in"', "everybody on the way could read"),
        ('name = "a"\nkind = "otlp"\nurl = "https:///v1/logs"', "no address for otlp"),
        ('name = "a"\nkind = "syslog"\nurl = "unix:///dev/log"\ntoken_file = "/x"', "no place for a token"),
        ('name = "../a"\nkind = "syslog"\nurl = "unix:///dev/log"', "name"),
        ('name = "a"\nkind = "syslog"\nurl = "unix:///dev/log"\n' * 2, "two exports"),
    ],
)
def test_an_export_that_cannot_be_meant_is_refused(tmp_path: Path, export: str, said: str) -> None:
    tables = export.replace('\nname = "a"', '\n[[audit.export]]\nname = "a"')
    (tmp_path / "x.toml").write_text(f"[[audit.export]]\n{tables}\n")

    with pytest.raises(BadSettings, match=said):
        load(tmp_path / "x.toml", environ={}, home=tmp_path)
