from egress.cause import Cause, cause


def test_a_mark_names_one_of_several_calls_and_never_one_that_does_not_run() -> None:
    assert cause("d-1", ("d-1", "d-2")) == Cause(("d-1",), "process")
    assert cause("d-9", ("d-1", "d-2")) == Cause(("d-1", "d-2"), "any_of")
    assert cause("", ("d-1", "d-2")) == Cause(("d-1", "d-2"), "any_of")


def test_where_one_call_runs_it_is_that_whatever_the_sandbox_says() -> None:
    assert cause("", ("d-1",)) == cause("d-9", ("d-1",)) == Cause(("d-1",), "only_job")


def test_the_newest_call_is_the_one_that_a_refusal_names() -> None:
    assert cause("", ("d-1", "d-2")).newest == "d-2"
    assert cause("", ()).newest is None
