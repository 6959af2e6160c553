"""A search shows what lies at the judged path, as file_read would, whatever is swapped, planted or stopped meanwhile."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from policy.verdict import Access, Permit, permit
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.pattern import read_pattern
from server.sandbox.sandbox import FileRefused, Mount
from server.sandbox.search import Query, Searched, search
from server.sandbox.workspaces import check
from tests.live import BASE, done, sandbox, shell, using
from tests.waiting import PATIENCE_S

# Some of these search a hundred times, which takes two minutes where the machine is busy.
pytestmark = [pytest.mark.anyio, pytest.mark.promise("files.handle"), pytest.mark.timeout(600)]

NO_PROGRAMS = Access(execute=())  # ripgrep among them: the kernel refuses it, and the search does without


async def look(
    box: DockerSandbox, path: str, pattern: str | None = None, glob: str | None = None, access: Access | None = None
) -> Searched:
    found = await box.resolve(path if path.startswith("/") else f"/workspace/{path}")
    return await search(
        box, _within(found.real, access), found, Query(read_pattern(pattern) if pattern else None, glob, 200)
    )


def _within(path: str, access: Access | None) -> Permit:
    granted = using(path)
    return permit(granted.question, replace(granted.allow, access=access)) if access else granted


def lines(found: Searched) -> list[str]:
    assert (found.end, found.error) == ("whole", ""), found
    return [
        f"{hit.path.removeprefix('/workspace/')}:{line.number}:{line.text}"
        for hit in found.hits
        for line in hit.lines
        if line.matches
    ]


CORPUS = r"""
mkdir -p same/sub; cd same
printf 'def foo(a):\n\treturn a{1}\nx = [1]\nfoo\n' > a.py
printf 'one\r\ntwo;\r\nfoo;\r\n' > crlf.txt
printf 'caf\xe9 foo\n\xff\xfe\n' > latin.txt
printf '\xef\xbb\xbffirst foo\n' > mark.txt
printf '\xff\xfef\0o\0o\0\n\0b\0' > wide.txt
printf 'foo\0bar\n' > binary.bin
printf 'Gr\xc3\xb6\xc3\x9fe FOO \xf0\x9f\x98\x80\nword_1 2024-01-02\n' > sub/uni.txt
printf 'no newline foo' > sub/end.txt
printf '\n\n   \nfoo\n' > sub/blank.txt
python3 -c "print('x'*5000 + 'foo' + 'y'*5000)" > sub/long.txt
: > sub/empty.txt
"""


async def test_ripgrep_and_its_absence_give_the_same_answers(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, CORPUS)
    for pattern in (
        "foo", "(?i)FOO", "^foo$", "foo;$", r"\bfoo\b", r"a{1}", "a\\{1}", "[[]1[]]", r"\d{4}-\d\d", r"\w+_1", "größe", "Größe",
        "(?i)größe", "😀", "^$", "^", "x*", r"\s+foo", "[[:upper:]]{3}", "(def|return) ", r"\t", "caf. foo", r"\x{f6}", r"(?<n>o)o",
        r"\<foo\>", "[^a-z]foo", "o$", r"foo\z", ".", r"\Afoo", "f.o|two", "first", r"[\w.-]+foo", r"\.", "(?s)a.", "(?m)^o", "",
    ):  # fmt: skip
        if not pattern:
            continue
        by_ripgrep, by_python = (
            await look(lasting_box, "same", pattern),
            await look(lasting_box, "same", pattern, access=NO_PROGRAMS),
        )
        assert lines(by_ripgrep) == lines(by_python), pattern
        assert by_ripgrep == by_python, pattern
    assert lines(await look(lasting_box, "same", "foo")) == [
        "same/a.py:1:def foo(a):", "same/a.py:4:foo", "same/crlf.txt:3:foo;", "same/latin.txt:1:caf\udce9 foo",
        "same/mark.txt:1:first foo", "same/sub/blank.txt:4:foo", "same/sub/end.txt:1:no newline foo",
        "same/sub/long.txt:1:..." + "x" * 80 + "foo" + "y" * 217 + "...", "same/wide.txt:1:foo",
    ]  # fmt: skip


async def test_punctuation_after_a_backslash_is_itself_for_both(lasting_box: DockerSandbox) -> None:
    marks = "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~ \\"
    await done(lasting_box, "mkdir -p marks; cat > marks/f <<'E'\n" + "".join(f"{mark}q\n" for mark in marks) + "E")
    for number, mark in enumerate(marks, 1):
        for pattern in (rf"^\{mark}q", rf"^[\{mark}]q"):
            if mark in "<>" and "[" not in pattern:
                continue  # a word's beginning and end
            for access in (None, NO_PROGRAMS):
                assert lines(await look(lasting_box, "marks", pattern, access=access)) == [
                    f"marks/f:{number}:{mark}q"
                ], pattern


async def test_what_only_ripgrep_can_do_is_said_where_there_is_none(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "mkdir -p other; printf 'a\\n\u0434\u0436\\n' > other/f")

    assert lines(await look(lasting_box, "other", "^\\p{Cyrillic}+$")) == ["other/f:2:\u0434\u0436"]
    assert "ripgrep" in (await look(lasting_box, "other", r"\p{Cyrillic}", access=NO_PROGRAMS)).error


async def test_gitignore_of_the_folder_below_it_and_above_it_is_honoured(lasting_box: DockerSandbox) -> None:
    await done(
        lasting_box,
        "mkdir -p g/.git/hooks g/src/deep g/build g/.github; cd g; printf '*.log\\nbuild/\\n' > .gitignore; echo '!kept.log' > src/.gitignore;"
        "for f in .git/hooks/x src/a.log src/kept.log src/deep/b.log src/deep/kept.log build/x .github/w.yml x; do echo foo > $f; done",
    )

    everything = [".github/w.yml", "src/deep/kept.log", "src/kept.log", "x"]
    assert lines(await look(lasting_box, "g", "foo")) == [f"g/{name}:1:foo" for name in everything]
    assert lines(await look(lasting_box, "g/src/deep", "foo")) == ["g/src/deep/kept.log:1:foo"]
    names = [hit.path.removeprefix("/workspace/g/") for hit in (await look(lasting_box, "g", glob="*")).hits]
    assert names == [".github/w.yml", ".gitignore", "src/.gitignore", "src/deep/kept.log", "src/kept.log", "x"]
    assert lines(await look(lasting_box, "g/build", "foo")) == ["g/build/x:1:foo"]  # asked for by name


async def test_links_fifos_and_devices_are_neither_followed_nor_waited_for(lasting_box: DockerSandbox) -> None:
    await done(
        lasting_box,
        "mkdir -p odd out; echo foo > out/f; cd odd; ln -s ../out l; ln -s ../out/f lf; mkfifo p; ln -s /dev/zero z;"
        "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('s')\"; ln -s /proc/self/root r; echo foo > plain",
    )

    assert lines(await look(lasting_box, "odd", "foo")) == ["odd/plain:1:foo"]
    assert [(hit.path[15:], hit.is_link) for hit in (await look(lasting_box, "odd", glob="*")).hits] == [
        ("l", True), ("lf", True), ("plain", False), ("r", True), ("z", True),
    ]  # fmt: skip
    assert lines(await look(lasting_box, "odd/lf", "foo")) == ["out/f:1:foo"]


async def test_the_kernels_own_folders_are_not_searched(lasting_box: DockerSandbox) -> None:
    found = await lasting_box.resolve("/")
    seen = await search(lasting_box, using("/"), found, Query(None, "{comm,cpuinfo,zero,environ}", 50))

    assert not [hit.path for hit in seen.hits if hit.path.startswith(("/proc", "/sys", "/dev"))]


SWAP = """
import os
os.chdir('/workspace/race')
while not os.path.exists('/workspace/stop'):
    for target in ('../secret', '/proc/self/root/workspace/secret', '/etc'):
        os.rename('pub', 'aside'); os.symlink(target, 'pub'); os.unlink('pub'); os.rename('aside', 'pub')
        os.rename('pub/f', 'pub/g'); os.symlink('/workspace/secret/f', 'pub/f'); os.unlink('pub/f'); os.rename('pub/g', 'pub/f')
        os.rename('pub/f', 'pub/g'); os.mkfifo('pub/f'); os.unlink('pub/f'); os.rename('pub/g', 'pub/f')
"""


@pytest.mark.parametrize("access", [None, NO_PROGRAMS])
async def test_what_is_swapped_all_the_time_never_shows_another_file(
    lasting_box: DockerSandbox, access: Access | None
) -> None:
    await done(
        lasting_box, "rm -rf race secret stop; mkdir -p race/pub secret; echo open > race/pub/f; echo hidden > secret/f"
    )
    seen = set[str]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(shell, lasting_box, f"python3 - <<'E'\n{SWAP}\nE", 60)
        tries = 0
        while not seen or tries < 60:
            tries += 1
            seen |= set(lines(await look(lasting_box, "race", "open|hidden|root", access=access)))
        await done(lasting_box, "touch /workspace/stop")

    assert seen <= {"race/pub/f:1:open", "race/pub/g:1:open", "race/aside/f:1:open"}


async def test_a_folder_of_many_entries_is_looked_at_in_part_and_says_so(own_folder: Path) -> None:
    many = str(own_folder)
    for number in range(100_001):  # lent: inside, to make them takes a minute of a busy machine
        (own_folder / f"{number:06}").touch()
    mount = check(own_folder, "ro", [], allow_root_owned=True).lent
    assert isinstance(mount, Mount)

    async with sandbox(mounts=(mount,)) as box:
        listing = await box.entries(using(many), await box.resolve(many), 5)
        assert (listing.total, listing.whole, len(listing.entries)) == (100_000, False, 5)
        assert (await look(box, many, "foo", glob="0000*")).unread == 1
        assert len((await look(box, many, glob="0000[0-9]*")).hits) in {99, 100}


async def test_a_huge_sparse_file_is_not_read_through(lasting_box: DockerSandbox) -> None:
    await done(
        lasting_box,
        "mkdir sparse; truncate -s 5G sparse/zeros; printf 'foo\\n' > sparse/text; truncate -s 900M sparse/text",
    )
    sparse = await look(lasting_box, "sparse", "foo")

    assert (sparse.end, sparse.large, sparse.binary) == ("whole", 1, 1)


async def test_a_pattern_that_never_ends_is_ended(lasting_box: DockerSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    await done(lasting_box, "mkdir -p slow; python3 -c \"print('a' * 5000)\" > slow/f; echo aab > slow/e")
    with monkeypatch.context() as hurried:
        hurried.setattr("server.sandbox.search.PATIENCE_S", 1.0)
        found = await look(lasting_box, "slow", "(a|aa)+b|(a|a)+$x", access=NO_PROGRAMS)
        assert found.end in {"time", "whole"}
        found = await look(lasting_box, "slow", "(a+a+)+b", access=NO_PROGRAMS)
        assert found.end == "time"
    assert (await look(lasting_box, "slow", "(a+a+)+b")).end == "whole"


async def test_a_stopped_search_ends_and_says_that_it_is_not_whole(
    lasting_box: DockerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sandbox.search.PATIENCE_S", 1.0)
    await done(lasting_box, "mkdir -p stopped; for i in {1..2000}; do echo foo > stopped/$i; done")
    program = "import os,signal,time\nend=time.time()+4\nwhile time.time()<end:\n try: os.kill(-1,signal.SIGSTOP)\n except OSError: pass"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(shell, lasting_box, f"python3 -c '{program}'")
        for _ in range(3):
            assert (await look(lasting_box, "stopped", "foo")).end in {"whole", "time", "broken", "enough"}
    assert (await lasting_box.resolve("/workspace/stopped")).exists


async def look_until_refused(box: DockerSandbox) -> None:
    with anyio.fail_after(PATIENCE_S):
        while True:
            await look(box, "", "foo")


async def test_a_sandbox_full_of_processes_still_reads_writes_and_lists(anyio_backend: str) -> None:
    async with sandbox(BASE, pids=24) as full:
        await done(full, "echo foo > f")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shell, full, "for i in {1..64}; do sleep 8 & done 2>/dev/null; wait")
            with pytest.raises(FileRefused, match="full of processes"):
                await look_until_refused(full)
            found = await full.resolve("/workspace/f")
            assert (await full.read(using(found.real), found, 10)).data == b"foo\n"
            assert (await full.entries(using("/workspace"), await full.resolve("/workspace"), 9)).total == 1
            tasks.cancel_scope.cancel()


async def test_more_searches_than_may_run_at_once_are_told_to_wait(lasting_box: DockerSandbox) -> None:
    said = list[str]()

    async def one() -> None:
        try:
            found = await lasting_box.resolve("/usr")
            await search(lasting_box, using("/usr"), found, Query(read_pattern("nothing at all like this"), None, 10))
        except FileRefused as exc:
            said.append(str(exc))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(one)

    assert said
    assert all("wait for one to end" in words for words in said)


async def test_a_search_leaves_no_process(lasting_box: DockerSandbox) -> None:
    await look(lasting_box, "", "foo")
    with anyio.fail_after(PATIENCE_S):
        while "agent.py" in (text := await done(lasting_box, "ps -eo uid,args | awk '$1 == 1000'")) or "rg " in text:
            await anyio.sleep(0.05)


async def test_a_search_reads_no_more_than_the_permit_lets_the_kernel(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "mkdir -p k/a k/b; echo foo > k/a/f; echo foo > k/b/f")
    found = await look(lasting_box, "k", "foo", access=Access(read=("/workspace/k/a", "/usr", "/lib", "/lib64")))

    assert lines(found) == ["k/a/f:1:foo"]
    assert found.unread >= 1


async def test_odd_names_and_deep_folders_are_found(lasting_box: DockerSandbox) -> None:
    await done(
        lasting_box,
        r"mkdir -p 'n/a b'; cd n; echo foo > 'a b/c:d'; echo foo > $'\xff'; echo foo > $'x\ny'; echo foo > '-f'",
    )
    deep = "import os\nos.chdir('/workspace/n')\nfor n in range(120):\n os.mkdir('d'*50); os.chdir('d'*50)\nopen('f','w').write('foo\\n')"
    await done(lasting_box, f'python3 -c "{deep}"')
    found = await look(lasting_box, "n", "foo")

    assert [hit.path.removeprefix("/workspace/n/") for hit in found.hits] == ["-f", "a b/c:d", "x\ny", "\udcff"]
    assert found.unread == 1
    await done(lasting_box, "rm -rf n")
