from collections.abc import Iterator
from pathlib import Path

import pytest

from server.settings import files as settings_files
from server.settings.files import load
from server.settings.settings import BadSettings, Settings
from server.settings.template import TEMPLATE


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without settings: every file they may come from lies in tmp_path."""
    (tmp_path / "etc").mkdir(mode=0o755)
    monkeypatch.setattr(settings_files, "SYSTEM", tmp_path / "etc/sandgate.toml")
    monkeypatch.setattr(settings_files, "MANAGED", tmp_path / "etc/managed.toml")
    return tmp_path


def loaded(machine: Path, config: Path | None = None, **environ: str) -> Settings:
    return load(config, None, environ, machine)


def user(machine: Path, text: str) -> None:
    path = machine / ".config/sandgate/sandgate.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_without_any_file_the_network_is_closed_and_the_profile_standard(machine: Path) -> None:
    found = loaded(machine)

    assert found.egress.allow == ()
    assert found.policy.profile == "standard"
    assert found.state_dir == machine / ".local/state/sandgate"


def test_each_layer_goes_over_the_one_below(machine: Path) -> None:
    (machine / "etc/sandgate.toml").write_text('environment = "base"\n[sandbox]\ncpus = 1\npids = 64\n')
    user(machine, "[sandbox]\ncpus = 3\n")
    named = machine / "named.toml"
    named.write_text('[policy]\nprofile = "strict"\n')

    found = loaded(machine, named, SANDGATE_RESULTS="text")

    assert (found.environment, found.sandbox.cpus, found.sandbox.pids) == ("base", 3, 64)
    assert (found.policy.profile, found.results) == ("strict", "text")


def test_a_users_list_adds_to_the_systems_and_a_managed_one_replaces_both(machine: Path) -> None:
    (machine / "etc/sandgate.toml").write_text('[egress]\nallow = ["a.example"]\n')
    user(machine, '[egress]\nallow = ["b.example", "a.example"]\n')
    assert loaded(machine).egress.allow == ("a.example", "b.example")

    (machine / "etc/managed.toml").write_text('[egress]\nallow = ["a.example"]\n')
    assert loaded(machine).egress.allow == ("a.example",)


def test_what_is_managed_has_the_last_word(machine: Path) -> None:
    (machine / "etc/managed.toml").write_text('[policy]\nprofile = "strict"\n')
    user(machine, '[policy]\nprofile = "open"\n')

    assert loaded(machine, SANDGATE_PROFILE="open").policy.profile == "strict"


def test_the_current_directory_is_never_read(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "sandgate.toml").write_text('[policy]\nprofile = "open"\n')
    monkeypatch.chdir(machine)

    assert loaded(machine).policy.profile == "standard"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[sandbox]\nmemmory_mb = 5\n", r"sandgate\.toml: sandbox\.memmory_mb is not a setting"),
        ("[sandbox]\ncpus = -1\n", r"sandbox\.cpus"),
        ("[policy]\nprofile = 'lax'\n", r"policy\.profile"),
        ("not toml", "cannot be read"),
        ('[egress]\nallow = ["https://x.example/"]\n', r"egress\.allow.*is not a host"),
        ('[egress]\nallow = ["*.com"]\n', r"egress\.allow.*is not a host"),
        ('[egress]\nallow = ["*"]\n', r"egress\.allow.*is not a host"),
    ],
)
def test_a_bad_line_is_one_sentence_that_names_file_and_key(machine: Path, text: str, sentence: str) -> None:
    user(machine, text)

    with pytest.raises(BadSettings, match=sentence):
        loaded(machine)


def test_a_named_file_that_is_not_there_is_an_error(machine: Path) -> None:
    with pytest.raises(BadSettings, match="is not a file"):
        loaded(machine, machine / "nowhere.toml")


@pytest.mark.promise("weakening.said")
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[policy]\nprofile = "open"\n', "profile is open"),
        ('[egress]\nmode = "learn"\n', "learn"),
        ('[egress]\nnetworks = ["10.0.0.0/8"]\n', "private networks"),
        ('[[workspace]]\npath = "/srv/x"\nmode = "rw"\n', "writable workspace"),
        ("allow_root_owned = true\n", "root"),
        ("[sandbox]\nweigh_disks = false\n", "weigh_disks is off"),
        ('[policy]\nopa_url = "http://10.0.0.1/"\n', "opa_url is plain http"),
        ('[egress]\nupstream_ca = "/srv/ca.pem"\n', "can answer for any allowed host"),
        ('[egress]\nproxy = "http://proxy.example:3128"\n', "looks names up"),
        ('[http.jwt]\nissuer = "http://id.example"\naudience = "x"\n', "issuer is plain http"),
        (
            '[http.jwt]\nissuer = "https://id.example"\njwks_url = "http://id.example/k"\naudience = "x"\n',
            "jwks_url is plain http",
        ),
    ],
)
def test_each_weakening_is_a_sentence(machine: Path, text: str, word: str) -> None:
    assert loaded(machine).warnings() == []
    user(machine, text)

    assert [word in sentence for sentence in loaded(machine).warnings()] == [True]


# Settings that widen nothing which is otherwise closed: limits and durations, what the operator's policy lists, who the
# callers are, and where things lie. A new setting goes here or gets its sentence.
NO_WEAKENING = {
    *("state_dir", "runtime_dir", "environment", "environments", "results", "tools"),
    *("policy.allow", "policy.ask", "policy.deny", "policy.paths", "policy.custom"),
    *("policy.opa_ca", "policy.opa_cert", "policy.opa_token_file", "policy.opa_deadline_s"),
    *("egress.connections", "egress.tls_per_second", "egress.upload_mb", "egress.download_mb"),
    *("egress.ask", "egress.hold_s", "egress.held"),  # nothing of it passes without a person's yes
    *("egress.allow", "egress.resolve"),  # resolve: private addresses still need egress.networks
    *("http.hosts", "http.origins", "http.public_url", "http.tls_cert", "http.tls_key", "http.trusted_proxies"),
    *("http.body_mb", "http.upload_mb", "http.download_mb", "http.tokens"),
    *("audit.fsync", "audit.rotate_mb", "audit.rotate_days", "audit.keep_files", "audit.mask", "audit.head_every_s"),
    "audit.export",
    "sandbox.*",  # beside weigh_disks; the others only add, and what an engine lacks is said with the first sandbox
    "limits.*",
    "anomalies.*",
    "telemetry.*",  # spans carry names and times, no arguments
    "approvals.*",  # how long a question stands
    "egress.gate",  # who waits there is the server's own user
    "secret",  # one that a host without TLS could get is an error
}
SAID = {"allow_root_owned", "policy.profile", "policy.opa_url", "egress.mode", "egress.networks", "egress.upstream_ca"}
SAID |= {"http.jwt", "workspace", "egress.proxy"}


def test_every_setting_has_its_sentence_or_needs_none() -> None:
    def names() -> Iterator[str]:
        for name, field in Settings.model_fields.items():
            tables = getattr(field.annotation, "model_fields", None)
            if tables is None:
                yield name
            elif f"{name}.*" in NO_WEAKENING:
                yield f"{name}.*"
            else:
                yield from (f"{name}.{inner}" for inner in tables)

    assert set(names()) == NO_WEAKENING | SAID


def test_the_template_is_valid_and_only_defaults(machine: Path) -> None:
    before = loaded(machine)
    user(machine, TEMPLATE)

    assert loaded(machine) == before


def test_every_line_of_the_template_can_be_switched_on(machine: Path) -> None:
    switched = "\n".join(
        line.removeprefix("# ")
        for line in TEMPLATE.splitlines()
        if " = " in line or line.startswith(("[", "# ["))
        if not line.startswith(("#                               ", "# upstream_ca", "# gate "))
    )
    user(machine, switched)

    assert loaded(machine).sandbox.images == {name: f"sandgate/{name}" for name in ("base", "python", "node")}


@pytest.mark.parametrize("table", ["environments", "environment"])
def test_an_environment_has_a_table_of_its_own_under_either_spelling(machine: Path, table: str) -> None:
    user(machine, f'[{table}.data]\nimage = "python"\nsetup = ["pip install x"]\ncache_on = ["app/lock.json"]\n')

    assert loaded(machine).environments["data"].setup == ("pip install x",)
    assert loaded(machine).environment == "python"


def test_a_file_with_the_short_spelling_chooses_by_default(machine: Path) -> None:
    (machine / "etc/sandgate.toml").write_text('environment = "base"\n')
    user(machine, '[environment]\ndefault = "data"\n[environment.data]\nsetup = ["true"]\n')

    assert loaded(machine).environment == "data"


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../b", "", "a//b", "./a"])
def test_a_preparation_depends_on_files_of_the_workspace_only(machine: Path, name: str) -> None:
    user(machine, f'[environments.data]\ncache_on = ["{name}"]\n')

    with pytest.raises(BadSettings, match=r"environments\.data\.cache_on .*not a file below the workspace"):
        loaded(machine)


SECRET = '[[secret]]\nname = "key"\nvariable = "KEY"\nhost = "a.test"\n'


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f'{SECRET}value = "hunter2-hunter2"', "in clear"),
        (SECRET, "exactly one place"),
        (f'{SECRET}env = "A"\nfile = "/b"', "exactly one place"),
        (SECRET.replace("a.test", "a.test:80") + 'env = "A"', "plain HTTP"),
        (SECRET.replace("a.test", "*.a.test") + 'env = "A"', "many hosts"),
        (SECRET.replace("KEY", "LD_PRELOAD") + 'env = "A"', "which sandboxes need"),
        (f'[egress]\nallow = ["tcp://a.test:443"]\n{SECRET}env = "A"', "passes unread"),
        (f'{SECRET}env = "A"\nheaders = []', "headers"),
        (f'{SECRET}env = "A"\n{SECRET.replace("KEY", "OTHER")}env = "A"', "two secrets have the name"),
    ],
)
def test_a_secret_that_could_leak_is_an_error_that_does_not_quote_it(machine: Path, text: str, sentence: str) -> None:
    user(machine, text)

    with pytest.raises(BadSettings, match=sentence) as told:
        loaded(machine)
    assert "hunter2" not in str(told.value)


def test_sandboxes_listen_on_the_ports_of_listed_names(machine: Path) -> None:
    user(
        machine,
        '[egress]\nallow = ["a.test:8443", "tcp://db.test:5432", "localhost:9000", "10.0.0.1:22", "b.test:3128"]',
    )

    assert loaded(machine).egress.ports == (80, 443, 5432, 8443)


@pytest.mark.parametrize("entry", ["tcp://a.test", "tcp://*.a.test:5432", "tcp://a.test:x", "tcp://"])
def test_a_raw_entry_is_one_host_and_port(machine: Path, entry: str) -> None:
    user(machine, f'[egress]\nallow = ["{entry}"]')

    with pytest.raises(BadSettings, match="one host and port"):
        loaded(machine)


@pytest.mark.promise("weakening.said")
def test_what_passes_unread_is_said(machine: Path) -> None:
    user(machine, '[egress]\nallow = ["tcp://a.test:22"]')

    assert any("unread" in sentence and "tcp://a.test:22" in sentence for sentence in loaded(machine).warnings())
