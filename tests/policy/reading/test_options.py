from policy.reading.env import split_string
from policy.reading.options import Grammar, parse
from policy.reading.piece import Word

GRAMMAR = Grammar(short="ou", attached="i", long=("output", "user"), flags=("use",))


def words(text: str) -> tuple[Word, ...]:
    return tuple(Word(word) for word in text.split())


def test_options_end_at_the_first_operand() -> None:
    parsed = parse(words("-v -o out tool -u x"), GRAMMAR)

    assert [(name, word and word.text) for name, word in parsed.options] == [("-v", None), ("-o", "out")]
    assert [word.text for word in parsed.operands] == ["tool", "-u", "x"]


def test_options_may_follow_operands_where_the_program_permutes() -> None:
    parsed = parse(words("a -o out b -- -c"), Grammar(short="o", permute=True))

    assert [word.text for word in parsed.operands] == ["a", "b", "-c"]


def test_values_may_be_attached_clustered_or_abbreviated() -> None:
    parsed = parse(words("-vofile -i.bak --outp=x --us bob --use tool"), GRAMMAR)

    assert [(name, word and word.text) for name, word in parsed.options] == [
        ("-v", None),
        ("-o", "file"),
        ("-i", ".bak"),
        ("--outp", "x"),
        ("--us", "bob"),
        ("--use", None),
    ]
    assert [word.text for word in parsed.operands] == ["tool"]
    found = parsed.value("--output")
    assert found is not None
    assert found.text == "x"


def test_a_dynamic_word_keeps_the_option_it_begins_with() -> None:
    parsed = parse((Word(None, "param", "--output="), Word(None, "param", "-o"), Word(None, "param")), GRAMMAR)

    assert [name for name, _ in parsed.options] == ["--output", "-o"]
    assert len(parsed.operands) == 1


def test_an_option_at_the_end_may_lack_its_value() -> None:
    assert parse(words("-o"), GRAMMAR).options == [("-o", None)]


def test_env_splits_strings_by_its_own_rules() -> None:
    assert [word.text for word in split_string(r"""a 'b c' "d\"e" f\_g\th # no""")] == [
        "a",
        "b c",
        'd"e',
        "f",
        "g",
        "h",
    ]
    assert [word.text for word in split_string(r"tool ${x} '' end\c rest")] == ["tool", None, "", "end"]
    assert [word.text for word in split_string("un'closed")] == [None]
    assert split_string(None)[0].text is None
