"""The audit of a real server, sent on as the settings say."""

from pathlib import Path

import pytest

from server.settings import BadSettings
from server.settings_files import load
from tests.end_to_end.rig import Home, RawServer
from tests.server.record.receivers import collector, documents


@pytest.mark.promise("audit.exported")
def test_every_line_of_a_server_arrives_with_its_last(folder: Path) -> None:
    with collector() as posts:
        settings = f'[[audit.export]]\nname = "far"\nkind = "https"\nurl = "{posts.url}"\n'
        home = Home(folder, settings)
        server = RawServer.start(home)
        server.ask("tools/call", {"name": "session_list", "arguments": {}})
        assert server.process.stdin is not None
        server.process.stdin.close()
        server.process.wait(30)
        server.wait()
        arrived = [made["kind"] for _, body in posts.heard.messages for made in documents(body)]

    assert arrived == [line["kind"] for line in home.audit()]
    assert arrived[0] == "server.started"
    assert arrived[-1] == "server.ended"


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
