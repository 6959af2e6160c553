"""The managed file as a ceiling, and every way over it that we could think of."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server import cli
from server.settings.ceiling import LARGEST
from server.settings.files import Source, load
from server.settings.settings import BadSettings, Settings
from server.wiring.environments import environments, networks
from tests.server.ops.commands import Said, refused

pytestmark = pytest.mark.promise("managed.ceiling")

CEILING = """
tools = ["shell", "jobs"]
allow_root_owned = false

[policy]
profile = "standard"
allow = ["git push"]
deny = ["curl"]
paths = [{glob = "/workspace/secrets/**", effect = "deny"}]

[egress]
allow = ["a.example"]
upload_mb = 10

[sandbox]
cpus = 2
memory_mb = 1024
keep_parked_s = 1000
require_landlock = true
images = {base = "sandgate/base", python = "sandgate/python"}
runtime = "runsc"

[limits]
concurrent = 8
tools = {shell = {concurrent = 4}}

[approvals]
pending_s = 60

[audit]
fsync = "always"
keep_files = 100
mask = ["tok-[0-9]+"]
export = [{name = "siem", kind = "syslog", url = "unix:///dev/log"}]

[http]
body_mb = 4
tokens = [{name = "ann", sha256 = "%s"}]

[[secret]]
name = "key"
variable = "KEY"
host = "a.example"
file = "/run/key"
""" % ("0" * 64)

# What somebody else writes, and what holds then: the path of a setting, and its value.
WIDER: dict[str, tuple[str, str, Any]] = {
    "tools": ('tools = ["shell", "files"]', "tools", ("shell",)),
    "root's folders": ("allow_root_owned = true", "allow_root_owned", False),
    "profile": ('[policy]\nprofile = "open"', "policy.profile", "standard"),
    "allowed commands": ('[policy]\nallow = ["npm publish"]', "policy.allow", ("git push",)),
    "denied commands": ('[policy]\ndeny = ["nc"]', "policy.deny", ("curl", "nc")),
    "an own OPA": ('[policy]\nopa_url = "https://opa.example"', "policy.opa_url", None),
    "hosts": ('[egress]\nallow = ["evil.example"]', "egress.allow", ("a.example",)),
    "hosts by a person": ('[egress]\nask = ["evil.example"]', "egress.ask", ()),
    "networks": ('[egress]\nnetworks = ["10.0.0.0/8"]', "egress.networks", ()),
    "names": ('[egress]\nresolve = {"a.example" = "192.0.2.1"}', "egress.resolve", {}),
    "an own gate": ('[egress]\ngate = "/tmp/control"', "egress.gate", None),
    "an own proxy": ('[egress]\nproxy = "http://evil.example:3128"', "egress.proxy", ""),
    "an own authority": ('[egress]\nupstream_ca = "/tmp/ca.pem"', "egress.upstream_ca", None),
    "upload without a bound": ("[egress]\nupload_mb = 0", "egress.upload_mb", 10),
    "more upload": ("[egress]\nupload_mb = 11", "egress.upload_mb", 10),
    "processors": ('[sandbox]\ncpus = "64"', "sandbox.cpus", 2),
    "memory": ("[sandbox]\nmemory_mb = 9999", "sandbox.memory_mb", 1024),
    "kept for ever": ("[sandbox]\nkeep_parked_s = 0", "sandbox.keep_parked_s", 1000),
    "no landlock": ("[sandbox]\nrequire_landlock = false", "sandbox.require_landlock", True),
    "another runtime": ('[sandbox]\nruntime = "runc"', "sandbox.runtime", "runsc"),
    "another image": ('[sandbox]\nimages = {base = "evil"}', "sandbox.images.base", "sandgate/base"),
    "more at once": ("[limits]\nconcurrent = 800", "limits.concurrent", 8),
    "more of a tool": ("[limits.tools.shell]\nconcurrent = 800", "limits.tools.shell.concurrent", 4),
    "longer questions": ("[approvals]\npending_s = 900", "approvals.pending_s", 60),
    "a lazy audit": ('[audit]\nfsync = "interval"', "audit.fsync", "always"),
    "a short audit": ("[audit]\nkeep_files = 1", "audit.keep_files", 100),
    "an unmasked audit": ("[audit]\nmask = []", "audit.mask", ("tok-[0-9]+",)),
    "larger bodies": ("[http]\nbody_mb = 512", "http.body_mb", 4),
    "another identity": ('[http.jwt]\nissuer = "https://evil.example"\naudience = "x"', "http.jwt", None),
}

SHA = "1" * 64
STRICTER: dict[str, tuple[str, str, Any]] = {
    "stricter profile": ('[policy]\nprofile = "strict"', "policy.profile", "strict"),
    "asked commands": ('[policy]\nask = ["make"]', "policy.ask", ("make",)),
    "less memory": ("[sandbox]\nmemory_mb = 512", "sandbox.memory_mb", 512),
    "pids, which the ceiling does not name": ("[sandbox]\npids = 2000", "sandbox.pids", 2000),
    "less of a tool": ("[limits.tools.shell]\nconcurrent = 1", "limits.tools.shell.concurrent", 1),
    "the mode that it is": ('[egress]\nmode = "enforce"', "egress.mode", "enforce"),
    "another tool's pace": ("[limits.tools.exec]\nconcurrent = 1", "limits.tools.exec.concurrent", 1),
    "results": ('results = "text"', "results", "text"),
}


def managed(machine: Path, text: str = CEILING) -> Path:
    path = machine / "etc/managed.toml"
    path.write_text(text)
    return path


def at(settings: Settings, key: str) -> Any:
    found: Any = settings
    for name in key.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    return found


def by_user(machine: Path, text: str) -> Settings:
    path = machine / "config/sandgate/sandgate.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return load(environ={"XDG_CONFIG_HOME": str(machine / "config")}, home=machine)


def by_system(machine: Path, text: str) -> Settings:
    (machine / "etc/sandgate.toml").write_text(text)
    return load(environ={}, home=machine)


def by_config(machine: Path, text: str) -> Settings:
    (machine / "named.toml").write_text(text)
    return load(machine / "named.toml", environ={}, home=machine)


def by_variable(machine: Path, text: str) -> Settings:
    (machine / "named.toml").write_text(text)
    return load(environ={"SANDGATE_CONFIG": str(machine / "named.toml")}, home=machine)


@pytest.mark.parametrize("way", [by_user, by_system, by_config, by_variable])
@pytest.mark.parametrize("what", [*WIDER, *STRICTER])
def test_what_is_wider_does_not_hold_and_what_is_stricter_does(
    machine: Path, way: Callable[[Path, str], Settings], what: str
) -> None:
    text, key, holds = {**STRICTER, **WIDER}[what]
    managed(machine)

    assert at(way(machine, text), key) == holds


# What the ceiling names, what others write beside it, and what then holds of that.
TURNED: dict[str, tuple[str, str, str, Any]] = {
    "a burst": ("[limits]\ncalls_per_second = 1", "[limits]\nburst = 1000000", "limits.burst", 200),
    "a rate": ("[limits]\nburst = 5", "[limits]\ncalls_per_second = 1e9", "limits.calls_per_second", 50),
    "a tool's burst": (
        "[limits.tools.x]\ncalls_per_second = 1",
        "[limits.tools.x]\nburst = 999",
        "limits.tools.x.burst",
        200,
    ),
    "a moment": (
        '[anomalies]\ndenials = {count = 3, effect = "freeze"}',
        "[anomalies]\ndenials = {count = 3, window_s = 1}",
        "anomalies.denials.window_s",
        60,
    ),
    "an ask answered": ('[policy]\nask = ["git push"]', '[policy]\nallow = ["git push"]', "policy.allow", ()),
    "paths": (
        '[policy]\nprofile = "strict"',
        '[policy]\npaths = [{glob = "/**", effect = "allow"}]',
        "policy.paths",
        (),
    ),
    "hosts unasked": ('[egress]\nask = ["*"]', '[egress]\nallow = ["evil.example"]', "egress.allow", ()),
    "own OPA": ('egress.allow = ["a.example"]', 'policy.opa_url = "https://b.example"', "policy.opa_url", None),
    "images": ('environments.d.image = "base"', 'sandbox.images.base = "x"', "sandbox.images.base", "sandgate/base"),
    "files of a second": ("[audit]\nkeep_files = 9", "[audit]\nrotate_days = 0.00001", "audit.rotate_days", 0),
}


@pytest.mark.parametrize("what", TURNED)
def test_what_would_turn_what_the_ceiling_names_is_not_anothers_to_say(machine: Path, what: str) -> None:
    ceiling, text, key, holds = TURNED[what]
    managed(machine, ceiling)

    assert at(by_user(machine, text), key) == holds


def test_variables_and_flags_widen_nothing(machine: Path) -> None:
    managed(machine)
    environ = {"SANDGATE_PROFILE": "open", "SANDGATE_TOOLS": "shell,files"}

    found = load(None, {"allow_root_owned": True}, environ, machine)
    assert (found.policy.profile, found.tools, found.allow_root_owned) == ("standard", ("shell",), False)
    with pytest.raises(BadSettings, match="offer none"):
        load(None, {"tools": ("files", "sessions")}, {}, machine)


def test_path_rules_of_others_only_tighten(machine: Path) -> None:
    managed(machine)
    rules = '{glob = "/**", effect = "allow"}, {glob = "/workspace/x", effect = "ask"}'

    found = by_user(machine, f"[policy]\npaths = [{rules}]\n")
    assert [(rule.glob, rule.effect) for rule in found.policy.paths] == [
        ("/workspace/secrets/**", "deny"),
        ("/workspace/x", "ask"),
    ]


def test_tokens_and_secrets_are_the_ceilings_alone(machine: Path) -> None:
    managed(machine)
    token = f'[[http.tokens]]\nname = "eve"\nsha256 = "{SHA}"\nroles = ["admin"]\n'
    secret = '[[secret]]\nname = "own"\nvariable = "OWN"\nhost = "a.example"\ncommand = ["cat", "/etc/shadow"]\n'

    found = by_user(machine, token + secret)
    assert [one.name for one in found.http.tokens] == ["ann"]
    assert [one.name for one in found.secret] == ["key"]


def test_an_export_of_the_audit_is_neither_removed_nor_turned(machine: Path) -> None:
    managed(machine)
    export = '[[audit.export]]\nname = "{}"\nkind = "syslog"\nurl = "udp://evil.example:514"\n'

    found = by_user(machine, export.format("siem") + export.format("own"))
    assert [(one.name, one.url) for one in found.audit.export] == [
        ("siem", "unix:///dev/log"),
        ("own", "udp://evil.example:514"),
    ]


def test_a_strict_profile_without_a_list_is_nobody_elses_to_list(machine: Path) -> None:
    managed(machine, '[policy]\nprofile = "strict"\n')

    assert by_user(machine, '[policy]\nallow = ["sudo"]\n').policy.allow == ()


def test_learning_is_refused(machine: Path) -> None:
    managed(machine)

    with pytest.raises(BadSettings, match="would let everything out"):
        by_user(machine, '[egress]\nmode = "learn"\n')


@pytest.mark.parametrize("image", ["evil", "docker.example/any:latest"])
def test_an_environment_is_made_of_a_listed_image(machine: Path, image: str) -> None:
    managed(machine)

    with pytest.raises(BadSettings, match="do not list"):
        by_user(machine, f'[environments.own]\nimage = "{image}"\n')


def test_an_environment_of_a_listed_image_is_made_and_its_network_is_within_the_list(machine: Path) -> None:
    managed(machine)

    found = by_user(machine, '[environments.own]\nimage = "python"\nnetwork = ["evil.example"]\n')
    assert environments(found, ())["own"].image == "sandgate/python"
    with pytest.raises(BadSettings, match=r"evil\.example"):
        networks(found)


def test_managed_environments_are_the_only_ones(machine: Path) -> None:
    managed(machine, '[environments.safe]\nimage = "python"\nsetup = ["true"]\n')

    found = by_user(machine, '[environments.safe]\nimage = "evil"\nsetup = ["id"]\n[environments.own]\nimage = "x"\n')
    assert {name: (one.image, one.setup) for name, one in found.environments.items()} == {"safe": ("python", ("true",))}


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ("{root}/one", True),
        ("{root}/one/deep:ro", True),
        ("{root}/one:rw", False),
        ("{root}/two:rw", True),
        ("{root}", False),
        ("{root}/one/../three", False),
        ("{root}/one/link", False),
        ("/etc", False),
    ],
)
def test_a_workspace_lies_in_a_folder_of_the_ceiling_and_is_no_wider(machine: Path, asked: str, fits: bool) -> None:  # noqa: FBT001
    root = machine / "projects"
    for name in ("one/deep", "two", "three"):
        (root / name).mkdir(parents=True)
    (root / "one/link").symlink_to("/etc")
    managed(machine, f'[[workspace]]\npath = "{root}/one"\n[[workspace]]\npath = "{root}/two"\nmode = "rw"\n')
    path, _, mode = asked.format(root=root).partition(":")
    wanted = {"workspace": ({"path": path, "mode": mode or "copy"},)}

    if fits:
        assert load(None, wanted, {}, machine).workspace[0].path == Path(path)
    else:
        with pytest.raises(BadSettings, match="beyond the managed settings"):
            load(None, wanted, {}, machine)


def test_without_a_wish_of_ones_own_the_managed_folders_are_the_workspaces(machine: Path) -> None:
    managed(machine, f'[[workspace]]\npath = "{machine}"\nmode = "ro"\n')

    assert [(one.path, one.mode) for one in load(environ={}, home=machine).workspace] == [(machine, "ro")]


def test_allow_says_who_has_the_list(machine: Path, capsys: Said) -> None:
    managed(machine)

    assert "ask whoever keeps that one" in refused(capsys, "allow", "evil.example")
    assert "ask whoever keeps that one" in refused(capsys, "allow", "npm publish")
    assert cli.main(["allow", "a.example"]) == 0


# --- the file itself ---------------------------------------------------------------------------------------------------


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere.toml"))
    path.symlink_to(path.with_name("elsewhere.toml"))


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nothing"))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _below_a_file(path: Path) -> None:
    path.unlink()
    path.parent.rename(path.parent.with_name("other"))
    path.parent.write_text("")


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (_link, "is a symbolic link"),
    "a link to nothing": (_dangling, "is a symbolic link"),
    "a folder": (_folder, "is not a file"),
    "a pipe": (_pipe, "is not a file"),
    "below a file": (_below_a_file, "cannot be read"),
    "written by its group": (lambda path: path.chmod(0o664), "can be written by others"),
    "written by all": (lambda path: path.chmod(0o646), "can be written by others"),
    "a folder that all write": (lambda path: path.parent.chmod(0o777), "can be written by others"),
    "larger than is read": (lambda path: path.write_text(CEILING + "#" * LARGEST), "has more than"),
    "not TOML": (lambda path: path.write_text("profile ="), "cannot be read"),
    "not a text": (lambda path: path.write_bytes(b"\xff"), "cannot be read"),
    "a key that is none": (lambda path: path.write_text("profil = 1"), "is not a setting"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_file_that_cannot_be_trusted_is_not_passed_over(machine: Path, how: str) -> None:
    spoil, said = SPOILT[how]
    path = machine / "etc/managed.toml"
    path.write_text(CEILING)
    spoil(path)

    with pytest.raises(BadSettings, match=said):
        load(environ={}, home=machine)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_a_file_of_somebody_elses_is_not_passed_over(machine: Path) -> None:
    os.chown(managed(machine), 1000, 1000)

    with pytest.raises(BadSettings, match="belongs to user 1000"):
        load(environ={}, home=machine)


def test_a_server_that_runs_takes_up_nothing_wider_nor_the_ceilings_end(machine: Path) -> None:
    path = managed(machine)
    (machine / "named.toml").write_text("")
    source = Source(machine / "named.toml", {"state_dir": machine, "runtime_dir": machine})
    (machine / "named.toml").write_text('[egress]\nallow = ["evil.example"]\n[policy]\nprofile = "open"\n')
    assert (source.read().egress.allow, source.read().policy.profile) == (("a.example",), "standard")

    path.chmod(0o666)
    with pytest.raises(BadSettings, match="can be written by others"):
        source.read()
    path.unlink()
    with pytest.raises(BadSettings, match="holds until this server is started again"):
        source.read()
