from pathlib import Path

from egress.trust import system_trust


def test_the_systems_bundle_is_a_file_or_there_is_none() -> None:
    found = system_trust()

    assert found is None or Path(found).is_file()
