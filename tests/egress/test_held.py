from egress.held import HELD_BYTES, Held


def test_it_counts_until_it_is_lifted_and_anew_when_it_starts_again() -> None:
    held = Held()

    assert held.takes(HELD_BYTES)
    assert not held.takes(1)
    held.restart()
    assert held.takes(1)
    held.lift()
    assert held.takes(HELD_BYTES * 10)


def test_what_is_not_held_is_read_in_pieces_of_another_size() -> None:
    held = Held()
    assert held.at_once(100, 200) == 100
    held.lift()
    assert held.at_once(100, 200) == 200
