"""Finding the lines of opened files that match: by ripgrep where the image has it, by Python's re where not.

Both are given the same files as descriptors and answer with the same line numbers; the text is then read here.
"""

import io
import itertools
import os
import re
import resource
from collections.abc import Container, Iterator

RIPGREP = ("/usr/bin/rg", "/usr/local/bin/rg", "/bin/rg")
MOST_BYTES = 1 << 30  # of one file; a larger one is told and left out
UTF8_MARK = b"\xef\xbb\xbf"
MOST_WIDE = 16 << 20  # bytes of one in UTF-16, which is decoded whole
SNIFFED = 8192  # bytes in which a NUL means that this is no text
MOST_DIGITS = 30
MOST_SAID = 16 << 20  # bytes of ripgrep's answer
FIRST_FILES, BATCH_FILES, BATCH_BYTES = 128, 2048, 32 << 20  # that the first run of ripgrep gets, and each at most
_OPTIONS = (
    "--no-config", "--color=never", "--no-heading", "--with-filename", "--null", "--line-number", "--column",
    "--no-messages", "--text", "--crlf", "--no-mmap", "--threads=2",
    "--max-columns=1",  # the lines themselves are not wanted: they are read from the same descriptor
)  # fmt: skip

_NO_TEXT, _TEXT = re.compile("[\udc80-\udcff]"), re.compile("[^\udc80-\udcff]+")

type Place = tuple[int, int]  # line, 1-based; where in it the match begins, in bytes or characters
type Found = dict[int, list[Place]]  # by descriptor


class Unusable(Exception):
    """The pattern cannot be searched for here; the sentence says why."""


class Matcher:
    """`rust` and `python` are the same pattern for the two engines; python is "" where that has no such pattern."""

    def __init__(self, rust: str, python: str, most: int) -> None:
        self.rust, self.most = rust, most
        self.python = re.compile(python) if python else None
        self.ripgrep = next((path for path in RIPGREP if os.access(path, os.X_OK)), "")
        self.running = 0

    def find(self, files: list[int]) -> Found:
        """The first `most` matching lines of each file. Raises Unusable."""
        if self.ripgrep:
            found = self._by_ripgrep(files)
            if found is not None:
                return found
            self.ripgrep = ""  # it may not run here, or does not take the pattern: the other engine does it all
        if self.python is None:
            raise Unusable(
                "the pattern needs ripgrep (\\p{...} classes do), which cannot be used here; spell the class out"
            )
        return {file: places for file in files if (places := self._by_python(file, self.python))}

    def stop(self) -> None:
        if self.running:
            os.kill(self.running, 9)

    def _by_ripgrep(self, files: list[int]) -> Found | None:
        """None where it cannot be used."""
        options = [*_OPTIONS, f"--max-count={self.most}", f"--regexp={self.rust}", "--"]
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            self.running = self._spawn([self.ripgrep, *options, *map("/proc/self/fd/{}".format, files)], files, theirs)
        except OSError:
            os.close(ours)
            return None
        finally:
            os.close(theirs)
        with open(ours, "rb") as said:
            found = _places(said.read(MOST_SAID))
        status = os.waitstatus_to_exitcode(os.waitpid(self.running, 0)[1])
        self.running = 0
        return found if status in (0, 1) or found else None

    def _spawn(self, argv: list[str], files: list[int], out: int) -> int:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        try:
            for file in files:
                os.set_inheritable(file, True)
            moves = [(os.POSIX_SPAWN_DUP2, source, target) for source, target in ((null, 0), (out, 1), (null, 2))]
            return os.posix_spawn(self.ripgrep, argv, {}, file_actions=moves)
        finally:
            os.close(null)

    def _by_python(self, file: int, expression: re.Pattern[str]) -> list[Place]:
        places = []
        for number, line in lines_of(file):
            if (start := _start(expression, line)) is not None:
                places.append((number, start))
                if len(places) == self.most:
                    break
        return places


def _start(expression: re.Pattern[str], line: str) -> int | None:
    """Where the first match begins. Bytes that are no text are matched by nothing, as ripgrep has it."""
    if line.isascii() or _NO_TEXT.search(line) is None:
        match = expression.search(line)
        return None if match is None else match.start()
    for piece in _TEXT.finditer(line):
        match = expression.search(line, *piece.span())
        if match and (match.end() < piece.end() or piece.end() == len(line) or expression.match(line, match.start())):
            return match.start()  # an end of line is the line's own, not that of the piece
    match = expression.search(line)
    return match.start() if match and not match[0] else None


def _places(said: bytes) -> Found:
    """From /proc/self/fd/7 NUL line:column:... each line a match."""
    found: Found = {}
    for line in said.split(b"\n"):
        path, null, rest = line.partition(b"\0")
        number, _, more = rest.partition(b":")
        column = more.partition(b":")[0]
        if null and number.isdigit() and column.isdigit() and len(number) + len(column) < MOST_DIGITS:
            found.setdefault(int(path.rpartition(b"/")[2]), []).append((int(number), int(column) - 1))
    return found


def is_text(file: int) -> bool:
    start = os.pread(file, SNIFFED, 0)
    return b"\0" not in start or start[:2] in (b"\xff\xfe", b"\xfe\xff")


def lines_of(file: int) -> Iterator[tuple[int, str]]:
    """Each with its number, without its newline; UTF-16 by its mark, else UTF-8, whose bad bytes are carried through."""
    for number, raw in enumerate(_raw_lines(file), 1):
        yield number, _decoded(raw)


def some_lines(file: int, wanted: Container[int], last: int) -> Iterator[tuple[int, str]]:
    """The wanted ones of them: the others are counted, which is much quicker."""
    for number, raw in enumerate(itertools.islice(_raw_lines(file), last), 1):
        if number in wanted:
            yield number, _decoded(raw)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")


def _raw_lines(file: int) -> Iterator[bytes]:
    """In UTF-8, without its mark."""
    start = os.pread(file, 3, 0)
    wide = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(start[:2])
    os.lseek(file, len(UTF8_MARK) if start == UTF8_MARK else 0, os.SEEK_SET)
    with open(file, "rb", closefd=False) as opened:
        if wide:
            text = opened.read(MOST_WIDE)[2:].decode(wide, "replace")
            yield from io.BytesIO(text.encode("utf-8", "surrogateescape"))
        else:
            yield from opened


def most_files() -> int:
    return min(BATCH_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
