"""What examples/compose says in two places is the same. That it works, tests/soak/test_compose.py shows."""

import re
import tomllib
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from server.settings.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "examples/compose/compose.yaml")
SERVICES: dict[str, Any] = COMPOSE["services"]
SETTINGS = Settings.model_validate(tomllib.loads((ROOT / "examples/compose/sandgate.toml").read_text()))


def test_the_settings_name_the_volume_and_the_port_that_the_services_have() -> None:
    assert SETTINGS.sandbox.socket_volume == COMPOSE["volumes"]["run"]["name"]
    assert SETTINGS.policy.opa_url == f"http://{SERVICES['opa']['command'][2].removeprefix('--addr=')}"
    assert SETTINGS.warnings() == []


def test_the_gate_sees_where_it_waits_and_its_authority_and_nothing_else() -> None:
    mounts = {mount.split(":")[0]: mount.split(":")[1] for mount in SERVICES["gate"]["volumes"]}
    told = dict(mount.split(":")[:2] for mount in SERVICES["server"]["volumes"])

    assert mounts == {"gate": "/run/gate", "ca": "/var/lib/gate"}
    assert SETTINGS.egress.gate == Path(told["gate"]) / "control"
    assert {"network_mode", "pid", "cap_add", "ports"} & SERVICES["gate"].keys() == set()


def test_the_gates_packages_are_the_servers_own_to_the_hash() -> None:
    egress, run = ((ROOT / f"requirements/{name}.txt").read_text().split("\n") for name in ("egress", "run"))

    assert any(line.startswith("mitmproxy==") for line in egress)
    assert [line for line in egress if line not in run] == []


def test_only_the_server_and_the_image_builder_hold_the_engines_socket() -> None:
    holding = {name for name, service in SERVICES.items() if "docker.sock" in str(service.get("volumes"))}

    assert holding == {"server", "prepare"}


def test_what_stays_up_has_no_capability_and_nothing_to_write_but_its_volumes() -> None:
    staying = [service for service in SERVICES.values() if "restart" in service]

    assert len(staying) == 4
    for service in staying:
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges"]


def test_the_port_is_open_to_this_machine_alone() -> None:
    assert [port for service in SERVICES.values() for port in service.get("ports", ())] == [
        "127.0.0.1:${PORT:-8765}:8765"
    ]


def test_the_images_copy_what_the_context_lets_in() -> None:
    recipe = "\n".join((ROOT / f"images/{name}/Dockerfile").read_text() for name in ("server", "egress"))
    copied = [name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", recipe, re.MULTILINE) for name in line.split()]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert {*copied} == let_in
    assert [name for name in copied if not (ROOT / name).exists()] == []
