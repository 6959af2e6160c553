"""What a search does, in a process of its own as uid 1000: walk, match, and say what was found as lines of JSON.

Each file is opened once, below its folder's handle; it is matched and shown by that descriptor, and only where its real
path is then still the one that will be judged.
"""

import contextlib
import json
import os
import signal
import stat
from collections.abc import Iterator

import ignore
import match
import walk

CONTEXT_LINES = 2  # around a match
CONTEXT_MATCHES = 10  # that have lines around them: where there are more, the matches are enough to read
WIDTH, LEAD = 300, 80  # characters of a long line that are shown, and how many of them before the match
MOST_SAID = 4 << 20  # bytes of all answers
MOST_LARGE = 3  # files that were too large to search, by name

type Answer = dict[str, object]


class Over(Exception):
    """Time is up, or there is more than enough."""


class Look:
    """One search of a folder or a file. `most` lines, or names where there is no pattern; `patience_s` bounds it."""

    def __init__(self, out: int, real: str, most: int) -> None:
        self.out, self.real, self.most = out, real, most
        self.said = self.count = self.searched = self.large = self.binary = self.moved = 0
        self.larges: list[str] = []
        self.end, self.error, self.at = "whole", "", ""
        self.busy = False

    def run(self, root: int, request: Answer) -> None:
        signal.signal(signal.SIGALRM, self._time_is_up)
        signal.setitimer(signal.ITIMER_REAL, float(str(request["patience_s"])))
        glob = ignore.compile_glob(str(request["glob"])) if request["glob"] else None
        walked = walk.Walk(root, self.real, glob)
        try:
            if request["rust"]:
                matcher = match.Matcher(str(request["rust"]), str(request["python"]), self.most + 1)
                self._search(root, walked, matcher)
            else:
                self._list(walked)
        except Over:
            pass
        except match.Unusable as exc:
            self.error = str(exc)
        except MemoryError:
            self.end = "memory"
        except OSError as exc:
            self.error = f"the search failed: {os.strerror(exc.errno or 0)}"
        self.busy = True
        self._say(self._ending(walked.unread), last=True)

    def _ending(self, unread: int) -> Answer:
        names = ("end", "error", "at", "searched", "large", "larges", "binary")
        return {name: getattr(self, name) for name in names} | {"unread": unread + self.moved}

    def _time_is_up(self, *_: object) -> None:
        self.end = "time"
        if not self.busy:
            raise Over

    # --- names -------------------------------------------------------------------------------------------------------

    def _list(self, walked: walk.Walk) -> None:
        for entry in walked:
            self.at = entry.path
            self._full(full=self.count >= self.most)
            self.count += 1
            self._say({"path": entry.path, "link": entry.is_link})

    # --- lines -------------------------------------------------------------------------------------------------------

    def _search(self, root: int, walked: walk.Walk, matcher: match.Matcher) -> None:
        if stat.S_ISREG(os.fstat(root).st_mode):
            self._batch([(root, self.real)] if self._wanted(root, self.real) else [], matcher)
            return
        for batch in self._batches(walked):
            try:
                self._batch(batch, matcher)
            finally:
                for file, _ in batch:
                    os.close(file)

    def _batches(self, walked: walk.Walk) -> Iterator[list[tuple[int, str]]]:
        """Each larger than the one before: what is found at once is told at once, and a long search starts few programs."""
        batch, size, most = list[tuple[int, str]](), 0, min(match.FIRST_FILES, match.most_files())
        for entry in walked:
            with contextlib.suppress(OSError):
                file = -1 if entry.is_link else entry.open()
                if file >= 0 and self._wanted(file, entry.path):
                    batch.append((file, entry.path))
                    size += os.fstat(file).st_size
                elif file >= 0:
                    os.close(file)
            if len(batch) >= most or size >= match.BATCH_BYTES:
                yield batch
                batch, size, most = [], 0, min(2 * most, match.most_files())
        yield batch

    def _wanted(self, file: int, path: str) -> bool:
        if os.fstat(file).st_size > match.MOST_BYTES:
            self.large += 1
            self.larges += [path] if len(self.larges) < MOST_LARGE else []
            return False
        if not match.is_text(file):
            self.binary += 1
            return False
        return True

    def _batch(self, batch: list[tuple[int, str]], matcher: match.Matcher) -> None:
        self.at = batch[0][1] if batch else self.at
        try:
            found = matcher.find([file for file, _ in batch]) if batch else {}
        finally:
            matcher.stop()
        self.searched += len(batch)
        for file, path in batch:
            if file in found and _is_at(file, path):
                self.at = path
                self._show(file, path, found[file])
            elif file in found:
                self.moved += 1

    def _show(self, file: int, path: str, places: list[match.Place]) -> None:
        self._full(full=self.count >= self.most)
        starts = dict(places[: self.most - self.count])
        around = CONTEXT_LINES if self.count + len(starts) <= CONTEXT_MATCHES else 0
        wanted = {number + step for number in starts for step in range(-around, around + 1)}
        lines = match.some_lines(file, wanted, max(wanted))
        shown = [[n, _window(line, starts.get(n, 0)), int(n in starts)] for n, line in lines]
        self._say({"path": path, "lines": shown})
        more = self.count + len(places) > self.most
        self.count += len(starts)
        self._full(full=more)

    # --- saying ------------------------------------------------------------------------------------------------------

    def _full(self, *, full: bool) -> None:
        if full or self.said > MOST_SAID:
            self.end = "enough"
            raise Over

    def _say(self, answer: Answer, *, last: bool = False) -> None:
        """Whole, whatever the clock says meanwhile."""
        self.busy = True
        data = json.dumps(answer).encode() + b"\n"
        self.said += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self.out, view) :]
        self.busy = last
        if self.end == "time" and not last:
            raise Over


def _is_at(file: int, path: str) -> bool:
    """Whether the open file is still what that path means; one whose path is longer than the kernel tells is not."""
    try:
        return os.readlink(f"/proc/self/fd/{file}") == path
    except OSError:
        return False


def _window(line: str, start: int) -> str:
    if len(line) <= WIDTH:
        return line
    begin = max(0, min(start - LEAD, len(line) - WIDTH))
    return f"{'...' if begin else ''}{line[begin : begin + WIDTH]}{'...' if begin + WIDTH < len(line) else ''}"
