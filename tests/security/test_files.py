"""The file that was judged is the file that is used, whatever a process in the sandbox swaps meanwhile."""

import contextlib
import os
from collections.abc import AsyncGenerator
from hashlib import sha256

import anyio
import pytest

from server.sandbox import edits, files
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.sandbox import USER_ID, FileRefused, Found, Mount, WriteMode
from tests.live import done, read_file, sandbox, shell, using
from tests.security.test_disk_full import mounted

pytestmark = [pytest.mark.anyio, pytest.mark.promise("files.handle")]


_REPLACES: tuple[WriteMode, ...] = ("overwrite", "append")


async def write(box: DockerSandbox, found: Found, content: bytes, mode: WriteMode = "overwrite") -> files.Written:
    return await files.write(box, using(found.real), found, content, mode)


async def test_a_link_is_followed_and_stays(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "mkdir -p l; echo old > l/real; ln -sf real l/link; ln -sf missing l/dangling")

    assert (
        await write(lasting_box, await lasting_box.resolve("/workspace/l/link"), b"new\n")
    ).path == "/workspace/l/real"
    assert (
        await write(lasting_box, await lasting_box.resolve("/workspace/l/dangling"), b"made\n")
    ).path == "/workspace/l/missing"
    assert await done(lasting_box, "readlink l/link l/dangling; cat l/real l/missing; ls -A l") == (
        "real\nmissing\nnew\nmade\ndangling\nlink\nmissing\nreal\n"
    )


async def test_another_name_of_the_file_keeps_what_it_had(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "mkdir -p h; echo old > h/one; ln -f h/one h/two")
    written = await write(lasting_box, await lasting_box.resolve("/workspace/h/one"), b"new\n")

    assert written.names == 2
    assert await done(lasting_box, "cat h/one h/two") == "new\nold\n"
    await done(lasting_box, "ln -f h/one h/three")
    added = await write(lasting_box, await lasting_box.resolve("/workspace/h/one"), b"more\n", "append")

    assert (added.names, added.size, added.created) == (2, 9, False)
    assert await done(lasting_box, "cat h/one h/three; ls -A h") == "new\nmore\nnew\none\nthree\ntwo\n"


async def test_what_took_the_files_place_is_not_overwritten_by_an_edit(lasting_box: DockerSandbox) -> None:
    for swap in (
        "echo other > e/tmp; mv e/tmp e/f",
        "echo more >> e/f",
        "ln -sf /workspace/e/g e/f",
        "rm e/f; mkdir e/f",
    ):
        await done(lasting_box, "rm -rf e; mkdir e; echo one > e/f; echo kept > e/g")
        found = await lasting_box.resolve("/workspace/e/f")
        await lasting_box.read(using(found.real), found, 100, keep=True)
        await done(lasting_box, swap)
        with pytest.raises(FileRefused, match="changed meanwhile"):
            await lasting_box.write(using(found.real), found, b"two\n", "overwrite", unchanged=True)
        assert await done(lasting_box, "cat e/g; ls -A e | grep -v -e f -e g || true") == "kept\n"


async def test_what_appeared_meanwhile_is_not_overwritten(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "mkdir -p a; rm -f a/*")
    for mode in ("overwrite", "create", "append"):
        found = await lasting_box.resolve(f"/workspace/a/{mode}")
        await done(lasting_box, f"echo theirs > a/{mode}")
        with pytest.raises(FileRefused, match="meanwhile"):
            await write(lasting_box, found, b"ours\n", mode)
    assert await done(lasting_box, "cat a/*; ls -A a") == "theirs\ntheirs\ntheirs\nappend\ncreate\noverwrite\n"


async def test_a_folder_that_moved_takes_nothing_with_it(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "rm -rf m hooks; mkdir m")
    found = await lasting_box.resolve("/workspace/m/post-commit")
    await done(lasting_box, "mv m hooks")
    with pytest.raises(FileRefused, match="moved"):
        await write(lasting_box, found, b"run me\n")

    assert await done(lasting_box, "ls -A hooks") == ""


async def test_a_new_folder_that_is_turned_into_a_link_is_not_gone_through(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "rm -rf n away; mkdir n away")
    found = await lasting_box.resolve("/workspace/n/sub/f")
    await done(lasting_box, "ln -s ../away n/sub")
    with pytest.raises(FileRefused):
        await write(lasting_box, found, b"x")

    assert await done(lasting_box, "ls -A away") == ""


async def test_what_comes_in_parts_is_seen_whole_or_not_at_all(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "rm -rf p; mkdir p; echo old > p/old; chmod 750 p/old")
    for name, mode in (("old", "750"), ("new", "755")):
        found = await lasting_box.resolve(f"/workspace/p/{name}")
        for part in (b"one\n", b"two\n"):
            await lasting_box.add(using(found.real), found, part)
        assert await done(lasting_box, f"cat p/{name} || true") in ("old\n", "cat: p/new: No such file or directory\n")
        stored = await lasting_box.write(using(found.real), found, b"three\n", "overwrite", executable=True)
        assert (stored.size, stored.created) == (14, name == "new")
        assert await done(lasting_box, f"cat p/{name}; stat -c %a p/{name}") == f"one\ntwo\nthree\n{mode}\n"
        assert (await lasting_box.resolve(f"/workspace/p/{name}")).executable
    assert await done(lasting_box, "ls -A p") == "new\nold\n"


async def test_parts_that_are_let_go_of_or_may_not_be_moved_leave_nothing(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "rm -rf q; mkdir q; echo old > q/f")
    dropped = await lasting_box.resolve("/workspace/q/f")
    await lasting_box.add(using(dropped.real), dropped, b"new")
    await lasting_box.drop(dropped)
    with pytest.raises(FileRefused, match="expired"):
        await write(lasting_box, dropped, b"more")
    await lasting_box.drop(dropped)

    late = await lasting_box.resolve("/workspace/q/new")
    await lasting_box.add(using(late.real), late, b"ours")
    await done(lasting_box, "echo theirs > q/new")
    with pytest.raises(FileRefused, match="meanwhile"):
        await write(lasting_box, late, b" too")
    assert await done(lasting_box, "cat q/*; ls -A q") == "old\ntheirs\nf\nnew\n"


async def test_what_took_the_place_of_the_parts_does_not_become_the_file(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "rm -rf r; mkdir r; echo old > r/f; echo theirs > theirs")
    for swap in ("ln -sf ../theirs .sandgate*", "mv ../theirs .sandgate*", "rm .sandgate*"):
        found = await lasting_box.resolve("/workspace/r/f")
        await lasting_box.add(using(found.real), found, b"ours")
        await done(lasting_box, f"cd r; {swap}")
        with pytest.raises(FileRefused, match="took away"):
            await write(lasting_box, found, b" too")
        assert await done(lasting_box, "cat r/f; ls -A r; echo theirs > theirs") == "old\nf\n"


@pytest.mark.parametrize("mode", ["append", "overwrite", "create"])
@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/timerslack_ns",  # of PID 1: its timers would come late
        "/proc/self/comm",
        "/proc/1/oom_score_adj",
        "/sys/new",
        "/dev/shm/new",
        "/dev/mqueue/new",
        "/dev/full",
        "/workspace/k/slack",
        "/workspace/k/shm/deep/new",
    ],
)
async def test_file_write_in_proc_sys_or_dev_is_refused_and_changes_nothing(
    lasting_box: DockerSandbox, path: str, mode: WriteMode
) -> None:
    await done(lasting_box, "mkdir -p k; ln -sfn /proc/self/timerslack_ns k/slack; ln -sfn /dev/shm k/shm")
    found = await lasting_box.resolve(path)

    with pytest.raises(FileRefused, match="where file tools write nothing"):
        await write(lasting_box, found, b"40000000000", mode)
    found = await lasting_box.resolve(path)
    with pytest.raises(FileRefused, match="where file tools write nothing"):
        await lasting_box.add(using(found.real), found, b"40000000000")
    assert await done(lasting_box, "ls -A /dev/shm; ls /dev/mqueue") == ""


async def test_file_read_of_a_kernel_file_is_refused_wherever_a_link_to_it_lies(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "mkdir -p k; ln -sfn /proc/self/status k/status")
    for path in ("/proc/self/status", "/sys/kernel/mm/transparent_hugepage/enabled", "/workspace/k/status"):
        found = await lasting_box.resolve(path)
        with pytest.raises(FileRefused, match="a file of the kernel"):
            await lasting_box.read(using(found.real), found, 100)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system takes root")
async def test_a_full_disk_leaves_the_old_file_and_no_other() -> None:
    with mounted("ext4", "loop", 16 << 20) as point:
        os.chown(point, USER_ID, USER_ID)
        seen = point.stat()
        lent = Mount(str(point), "/workspace/d", read_only=False, device=seen.st_dev, inode=seen.st_ino)
        async with sandbox(mounts=(lent,)) as box:
            await done(box, "rmdir d/lost+found 2>/dev/null; echo old > d/f; cat /dev/zero > d/fill; test -s d/fill")
            for mode in _REPLACES:
                with pytest.raises(FileRefused, match="No space left"):
                    await write(box, await box.resolve("/workspace/d/f"), bytes(4 << 20), mode)
            assert await done(box, "ls -A d | grep -v lost; cat d/f") == "f\nfill\nold\n"


async def test_a_reader_sees_the_old_file_or_the_new_one(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "printf 'a%.0s' {1..65536} > whole")
    watch = "import sys,time\nend=time.time()+3\nwhile time.time()<end:\n s=set(open('whole').read())\n if len(s)!=1: sys.exit(1)"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(done, lasting_box, f'python3 -c "{watch}"')
        for letter in b"bcdefgh" * 8:
            await write(lasting_box, await lasting_box.resolve("/workspace/whole"), bytes([letter]) * 65536)


async def test_a_file_that_is_judged_and_swapped_is_read_as_judged(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "mkdir -p s; echo open > s/f; echo secret > s/g")
    found = await lasting_box.resolve("/workspace/s/f")
    await done(lasting_box, "mv s/g s/f")

    assert (await lasting_box.read(using(found.real), found, 100)).data == b"open\n"


# Every kind of thing that a path can be, in turn and for ever: what is read is what that path was judged to be.
SWAP = """
import os, socket
os.chdir('/workspace/race')
held = os.open('secret', os.O_RDONLY)
targets = ['open', '/proc/self/root/workspace/race/secret', f'/proc/{os.getpid()}/fd/{held}', '/dev/zero', '/proc/1/environ',
           f'/proc/{os.getpid()}/cwd/secret', '/etc/hostname', 'missing/f', 'way', 'secret', './' * 2044 + 'secret', '/dev/tty',
           b's\\xe9cret', b'\\xff' * 255]
os.link('secret', b's\\xe9cret')
open('begun', 'w').close()
while not os.path.exists('stop'):
    for target in targets:
        for to in (target, 'open'):
            os.symlink(to, 'next'); os.rename('next', 'way')
    os.mkfifo('next'); os.rename('next', 'way')
    os.link('open', 'next'); os.rename('next', 'way')
    made = socket.socket(socket.AF_UNIX); made.bind('next'); made.close(); os.rename('next', 'way')
    os.unlink('way'); os.mkdir('way'); os.rmdir('way')
"""
MAY_BE_READ = {
    ("/workspace/race/open", b"open\n"),
    ("/workspace/race/way", b"open\n"),  # its other name
    ("/workspace/race/secret", b"secret\n"),
    ("/etc/hostname", b"sandbox\n"),
}


@pytest.fixture
async def racing(box: DockerSandbox) -> AsyncGenerator[DockerSandbox]:
    await done(box, "rm -rf race; mkdir race; echo open > race/open; echo secret > race/secret")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(shell, box, f"python3 - <<'E'\n{SWAP}\nE", 120)
        await done(box, "until [ -e race/begun ]; do sleep 0.1; done")
        yield box
        await done(box, "touch race/stop")


async def test_what_is_swapped_all_the_time_is_read_as_what_it_was_judged_to_be(racing: DockerSandbox) -> None:
    seen = set[tuple[str, bytes]]()
    tries = 0
    while len(seen) < 2 or tries < 150:
        tries += 1
        with contextlib.suppress(FileRefused):
            found, data = await read_file(racing, "/workspace/race/way")
            seen.add((found.real, data))

    assert seen <= MAY_BE_READ


async def test_what_is_swapped_all_the_time_is_written_only_where_that_was_judged(racing: DockerSandbox) -> None:
    """As a policy would that lets one file be written and no other."""
    written = tries = 0
    while not written or tries < 150:
        tries += 1
        with contextlib.suppress(FileRefused):
            found = await racing.resolve("/workspace/race/way")
            if found.real == "/workspace/race/open":
                await write(racing, found, b"open\n")
                written += 1

    assert await done(racing, "cat race/secret race/open; ls -A race | grep sandgate || true") == "secret\nopen\n"


FOLDERS = """
import os
os.chdir('/workspace/folders')
while not os.path.exists('stop'):
    os.rename('pub', 'aside'); os.symlink('secret', 'pub'); os.unlink('pub'); os.rename('aside', 'pub')
    os.rename('pub', 'aside'); os.symlink('/proc/self/root/workspace/folders/secret', 'pub'); os.unlink('pub'); os.rename('aside', 'pub')
"""


async def test_folders_that_are_swapped_all_the_time_take_nothing_to_where_it_was_not_judged(
    lasting_box: DockerSandbox,
) -> None:
    await done(lasting_box, "rm -rf folders; mkdir -p folders/pub folders/secret; touch folders/secret/mark")
    made = number = 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(shell, lasting_box, f"python3 - <<'E'\n{FOLDERS}\nE", 120)
        while not made or number < 150:
            number += 1
            with contextlib.suppress(FileRefused):
                found = await lasting_box.resolve(f"/workspace/folders/pub/{number % 7}/f")
                if found.real.startswith("/workspace/folders/pub/"):
                    await write(lasting_box, found, b"x")
                    made += 1
        await done(lasting_box, "touch folders/stop")

    assert await done(lasting_box, "ls -A folders/secret; find folders -name '.sandgate*'") == "mark\n"


REPLACE = """
import os
os.chdir('/workspace/log')
for number in range(500):
    with open('next', 'w') as file: file.write('start\\n' + 'theirs\\n' * 1000)
    os.rename('next', 'log')
"""


async def test_edits_and_replacements_at_once_leave_one_whole_file_and_no_other(lasting_box: DockerSandbox) -> None:
    await done(lasting_box, "mkdir -p log; echo start > log/log")
    outcomes = set[str]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(done, lasting_box, f"python3 - <<'E'\n{REPLACE}\nE")
        for number in range(60):
            found = await lasting_box.resolve("/workspace/log/log")
            try:
                await edits.edit(
                    lasting_box, using(found.real), found, edits.Change("start\n", f"start\nours{number}\n")
                )
                outcomes.add("made")
            except FileRefused as exc:
                outcomes.add(str(exc)[:20])

    assert outcomes <= {"made", "it changed meanwhile;"[:20]}
    assert (
        await done(lasting_box, "ls -A log; head -1 log/log; sort -u log/log | grep -v ours")
        == "log\nstart\nstart\ntheirs\n"
    )


@pytest.mark.promise("approval.bound")
async def test_what_files_hold_is_told_without_opening_anything_else(lasting_box: DockerSandbox) -> None:
    await done(
        lasting_box,
        "mkdir -p d; cd d; echo hi > f; ln -s f link; mkfifo fifo; head -c 3000000 /dev/zero > big; echo no > shut; chmod 0 shut;"
        " ln -s /proc/self/exe magic; ln -s loop loop",
    )
    paths = [f"/workspace/d/{name}" for name in ("f", "link", "fifo", "big", "shut", "magic", "loop", "none", "")]

    found = {file.path.rpartition("/")[2]: file for file in await lasting_box.digests(paths, (), 1_000_003)}

    assert found.keys() == {"f", "link", "big"}
    assert found["f"].sha256 == found["link"].sha256 == sha256(b"hi\n").hexdigest()
    assert (found["big"].size, found["big"].hashed) == (3_000_000, 1_000_003 - 6)
    assert found["big"].sha256 == sha256(bytes(1_000_003 - 6)).hexdigest()


@pytest.mark.promise("approval.bound")
async def test_a_folder_is_held_with_all_in_it(box: DockerSandbox) -> None:
    async def held(name: str = "t") -> tuple[int, int, str]:
        (found,) = await box.digests((), (f"/workspace/{name}", "/workspace/none"), 1_000_000)
        assert found.path == f"/workspace/{name}/"
        return found.size, found.hashed, found.sha256

    await done(
        box, "mkdir -p t/.git/hooks t/shut; echo a > t/.git/hooks/pre-push; ln -s /etc/passwd t/link; mkfifo t/fifo"
    )
    await done(box, "chmod 0 t/shut")
    before = await held()
    assert before[:2] == (6, 6)
    changes = (
        ("echo b > t/.git/hooks/pre-push", "echo a > t/.git/hooks/pre-push"),
        ("chmod +x t/.git/hooks/pre-push", "chmod -x t/.git/hooks/pre-push"),
        ("ln -sfn /etc/group t/link", "ln -sfn /etc/passwd t/link"),
        ("touch t/.new", "rm t/.new"),
        ("mv t/fifo t/other", "mv t/other t/fifo"),
    )
    for change, back in changes:
        await done(box, change)
        assert await held() != before, change
        await done(box, back)
        assert await held() == before, back

    await done(
        box, "ln -s /usr t/away; mkdir many; touch many/{1..2100}; mkdir large; head -c 2000000 /dev/zero > large/x"
    )
    assert (await held())[:2] == (7, 6)
    assert (await held("many"))[:2] == (2_001, 2_000)
    assert (await held("large"))[:2] == (1, 0)
