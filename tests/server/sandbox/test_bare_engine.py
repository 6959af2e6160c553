"""Docker's own calls, as the bench compares us with them."""

from pathlib import Path

import docker.errors
import pytest

from server.sandbox.bare_engine import LABEL, BareEngine
from tests.real_engine import client, engine_url


def test_a_bare_container_starts_answers_and_goes() -> None:
    with BareEngine.at(engine_url()) as bare, client() as api:
        container = bare.start("sandgate/base")
        try:
            assert api.inspect_container(container)["Config"]["Labels"][LABEL]
            bare.exec(container, ["/bin/true"])
            assert bare.drain(container, ["/usr/bin/head", "-c", "1000000", "/dev/zero"]) >= 1_000_000
            assert (
                Path(f"/proc/{bare.pid(container)}/comm").read_text() == "sleep\n"
            )  # by now: a start returns before the exec
        finally:
            bare.remove(container)
        with pytest.raises(docker.errors.NotFound):
            api.inspect_container(container)
        bare.remove(container)
        assert bare.facts().keys() == {"docker", "storage", "cgroup"}
