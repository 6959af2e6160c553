from dataclasses import replace

import pytest

from server.sandbox.placeholders import Lent, Placeholders
from server.sandbox.sandbox import SandboxSpec
from server.sandbox.surroundings import Surroundings


@pytest.mark.promise("secrets.outside")
def test_a_command_finds_the_images_path_our_variables_and_placeholders_of_its_own_sandbox() -> None:
    lent = Placeholders((Lent("api", "API_KEY"),), b"k" * 32)
    surroundings = Surroundings({"SSL_CERT_FILE": "/run/sandgate/ca.pem"}, lent)

    spec = SandboxSpec("sandgate/base", "base", secrets=("api",))
    found = surroundings.of(spec, "box", {"PATH": "/opt/bin:/bin"}, "/bin/sh")
    assert found["PATH"] == "/opt/bin:/bin"
    assert (found["SHELL"], found["USER"]) == ("/bin/sh", "agent")
    assert found["SSL_CERT_FILE"] == "/run/sandgate/ca.pem"
    assert (
        found["API_KEY"] == lent.variables("box", ("api",))["API_KEY"] != lent.variables("other", ("api",))["API_KEY"]
    )
    assert surroundings.of(spec, "next", {}, "/bin/sh")["API_KEY"] != found["API_KEY"]
    assert surroundings.of(replace(spec, lent_as="box"), "next", {}, "/bin/sh")["API_KEY"] == found["API_KEY"]
    assert "API_KEY" not in surroundings.of(replace(spec, secrets=()), "box", {}, "/bin/sh")
