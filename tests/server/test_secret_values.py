from pathlib import Path
from typing import Any

import pytest

from server import secret_values
from server.secret_values import NoValue, lacking, value_of
from server.settings.secret import SecretSettings

pytestmark = pytest.mark.anyio


def secret(**where: Any) -> SecretSettings:
    return SecretSettings(name="key", variable="KEY", host="a.test", **where)


async def test_it_comes_from_a_variable_a_file_or_a_command(tmp_path: Path) -> None:
    (tmp_path / "value").write_text("from-a-file\r\n")
    environ = {"PATH": "/usr/bin:/bin", "HERE": "from-a-variable"}

    assert await value_of(secret(env="HERE"), environ) == "from-a-variable"
    assert await value_of(secret(file=tmp_path / "value"), environ) == "from-a-file"
    assert await value_of(secret(command=("sh", "-c", "echo $HERE")), environ) == "from-a-variable"


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize(
    ("where", "why"),
    [
        ({"env": "GONE"}, "no GONE"),
        ({"file": Path("/nowhere")}, "/nowhere cannot be read"),
        ({"command": ("false",)}, "ended with status 1"),
        ({"command": ("no-such-program",)}, "cannot be run"),
        ({"command": ("echo", "short")}, "5 characters"),
        ({"command": ("printf", r"told-secret\nsecond-line")}, "cannot carry"),
        ({"command": ("printf", r"told-secret\377")}, "not UTF-8"),
    ],
)
async def test_what_is_wrong_is_said_without_any_of_it(where: dict[str, Any], why: str) -> None:
    with pytest.raises(NoValue, match=why) as told:
        await value_of(secret(**where), {"PATH": "/usr/bin:/bin"})

    assert "told-secret" not in str(told.value)


async def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_values, "COMMAND_S", 0.2)

    with pytest.raises(NoValue, match="did not end"):
        await value_of(secret(command=("sleep", "60")), {"PATH": "/usr/bin:/bin"})


async def test_what_is_not_there_is_said_beforehand_and_no_command_is_run_for_that(tmp_path: Path) -> None:
    (tmp_path / "value").write_text("from-a-file\n")
    (tmp_path / "short").write_text("x\n")
    places = ({"file": tmp_path / "value"}, {"env": "HERE"}, {"command": ("touch", str(tmp_path / "ran"))})
    assert lacking([secret(**where) for where in places], {"HERE": "from-a-variable"}) == []
    assert not (tmp_path / "ran").exists()

    said = lacking([secret(file=tmp_path / "gone"), secret(env="HERE"), secret(file=tmp_path / "short")], {})
    assert [sentence.partition("; requests to a.test")[0] for sentence in said] == [
        f"the secret key has no value: {tmp_path}/gone cannot be read: No such file or directory",
        "the secret key has no value: the server's environment has no HERE",
        "the secret key has no value: it has 1 characters; 8 to 8192 are possible",
    ]
