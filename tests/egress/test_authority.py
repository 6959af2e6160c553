import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509

from egress.authority import KEY_FILE, AuthorityUnusable, ready


def test_it_is_made_once_and_its_key_is_its_owners(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "ca"
    path = ready(folder)
    first = path.read_bytes()

    assert ready(folder).read_bytes() == first
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    certificate = x509.load_pem_x509_certificate(first)
    assert certificate.subject.rfc4514_string() == "CN=Sandgate local CA"
    assert b"PRIVATE" not in first


def test_of_gates_that_start_at_once_all_use_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ready(tmp_path / "ca").read_bytes(), range(8)))

    assert len(set(made)) == 1
    assert {path.name for path in (tmp_path / "ca").iterdir()} == {KEY_FILE, "ca.pem"}


def test_a_key_that_others_could_read_is_not_used(tmp_path: Path) -> None:
    ready(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)

    with pytest.raises(AuthorityUnusable, match="chmod 600"):
        ready(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"]
)
def test_a_broken_key_is_said_to_be_broken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    (tmp_path / KEY_FILE).chmod(0o600)

    with pytest.raises(AuthorityUnusable, match="is unusable"):
        ready(tmp_path)
