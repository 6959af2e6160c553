"""Commands of the corpus, broken at random: cut, doubled, nested, spliced, with bytes that mean something put in."""

import json
from pathlib import Path

from hypothesis import strategies as st

CORPUS = [
    str(json.loads(line)["command"])
    for line in (Path(__file__).parent.parent / "corpus.jsonl").read_text().splitlines()
]
_PUT_IN = (
    "'", '"', "\\", "$(", "`", ")", "${", "}", "$((", "))", "<<E\n", "\nE\n", "\n", ";", "&", "|", "{", "[", "]", "*",
    "\r", "\t", "\x01", "\x7f", "\u202e", "\u200b", "\U0001f600", "\ud800", "é", "#\\\n", "$x", "x=", "for x in ",
    "case ", " esac", "do ", "done", "eval ", "trap '", "alias ", "function f ", "f() ", "{1..9}", "[[ ", "]]", "time ",
    "coproc ", "!", "~", "<(", ">(", "2>&1", "declare -n ", "a[$(x)]=", "set -- ", "$@",
)  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """One command after up to six changes."""
    text = draw(st.sampled_from(CORPUS))
    for _ in range(draw(st.integers(1, 6))):
        text = draw(_changed(text))
    return text


def _changed(text: str) -> st.SearchStrategy[str]:
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    return st.one_of(
        places.map(lambda ends: text[: ends[0]] + text[ends[1] :]),
        places.map(lambda ends: text[: ends[1]] + text[ends[0] :]),
        st.tuples(places, st.sampled_from(_PUT_IN)).map(lambda put: text[: put[0][0]] + put[1] + text[put[0][0] :]),
        st.tuples(places, st.sampled_from(CORPUS)).map(lambda put: text[: put[0][0]] + put[1] + text[put[0][1] :]),
        st.sampled_from(
            ("$({})", "sh -c '{}'", "for x in a b; do {}; done", "f() { {}; }; f", "eval '{}'", "({})")
        ).map(lambda shape: shape.replace("{}", text)),
        st.integers(2, 40).map(lambda times: (text + "\n") * times),
    )
