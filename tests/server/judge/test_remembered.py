from server.judge.remembered import Remembered


def test_what_was_used_last_stays() -> None:
    known = Remembered[str, int](2)
    for number, word in enumerate(("one", "two")):
        known.put(word, number)
    assert known.get("one") == 0

    known.put("three", 2)

    assert [known.get(word) for word in ("one", "two", "three")] == [0, None, 2]


def test_what_is_put_again_is_kept_once() -> None:
    known = Remembered[str, int](1)
    known.put("one", 1)
    known.put("one", 2)

    assert known.get("one") == 2
