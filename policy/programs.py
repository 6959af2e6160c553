"""What common programs do with the paths on their command lines, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from policy.question import Op
from policy.reading.options import Grammar


@dataclass(frozen=True, slots=True)
class Program:
    """op: what it does with its operands. skip: how many come first that are no paths (a pattern, a mode), unless one
    of `instead` is given. first, last: what it does with the first and the last one. options: with the values of
    options. attached: letters whose value follows in the same word. into: the last one may be a folder, which the others
    come to lie in. globs: options whose values are patterns of the files it reads. shows: it gives away what is in what it changes.
    writes: options with which it writes its operands."""

    op: Op
    short: str = ""
    long: tuple[str, ...] = ()
    skip: int = 0
    instead: tuple[str, ...] = ()
    last: Op | None = None
    options: Mapping[str, Op] = field(default_factory=dict)
    first: Op | None = None
    attached: str = ""
    into: bool = False
    shows: bool = False
    globs: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    @property
    def grammar(self) -> Grammar:
        named = "".join(name[1] for name in self.options if not name.startswith("--"))
        letters = self.short + "".join(letter for letter in named if letter not in self.attached)
        long = self.long + tuple(name.lstrip("-") for name in self.options if name.startswith("--"))
        return Grammar(letters, self.attached, long, permute=True)


_GREP = Program("read", "efmABCdD", ("regexp", "max-count", "context", "include", "exclude", "exclude-dir"), 1,
                ("-e", "-f", "--regexp", "--file"), options={"-f": "read", "--file": "read"}, globs=("--include",))  # fmt: skip
_RG = Program("read", "efgtTABCmMjErd", ("regexp", "glob", "iglob", "type", "max-depth", "replace"), 1,
              ("-e", "-f", "--regexp", "--file", "--files"), options={"-f": "read", "--file": "read"},
              globs=("-g", "--glob", "--iglob"))  # fmt: skip
_COPY_OPTIONS: dict[str, Op] = {"-t": "write", "--target-directory": "write"}
_RSYNC: dict[str, Op] = {
    "--files-from": "read", "--backup-dir": "write", "--log-file": "write", "--write-batch": "write", "-T": "write",
    "--only-write-batch": "write", "--partial-dir": "write", "--temp-dir": "write",
}  # fmt: skip
_MODE = Program("write", skip=1, instead=("--reference",), options={"--reference": "read"})
_READ = Program("read")
_DELETE = Program("delete")
_EDITOR = Program("write", shows=True)
_VIM = Program("write", "cSuUwWTit", shows=True)
_ZIP = Program("write", "S", ("suffix",), shows=True)
_CPIO = Program("read", "DFEHMRV", ("directory", "file", "pattern-file"), 0, last="write", writes=("-i", "-p", "--extract", "--pass-through"),
                options={"-D": "write", "--directory": "write", "-F": "read", "--file": "read", "-O": "write"})  # fmt: skip
_PATCH_FILES: dict[str, Op] = {
    "-i": "read", "--input": "read", "-o": "write", "--output": "write", "-d": "write", "--directory": "write",
}  # fmt: skip
_PATCH = Program("write", "pBFYzDVg", options=_PATCH_FILES)
_UNZIP = Program("write", "xP", first="read", shows=True, options={"-d": "write"})
_SEVEN = Program("read", attached="otpw", skip=1, options={"-o": "write"})

PROGRAMS: dict[str, Program] = {
    "ack": _GREP, "ag": replace(_GREP, short=_GREP.short + "G", globs=("-G",)), "egrep": _GREP, "fgrep": _GREP, "grep": _GREP, "zgrep": _GREP, "rg": _RG, "ugrep": _GREP,
    "base32": Program("read", "w"), "base64": Program("read", "w", ("wrap",)),
    "brotli": Program("write", "oq", shows=True, options={"-o": "write"}), "lz4": _ZIP, "lzip": _ZIP, "pigz": _ZIP,
    "bat": Program("read", "lrHmAn", ("language", "line-range", "theme", "style")),
    "bzip2": _ZIP, "gunzip": _ZIP, "gzip": _ZIP, "unxz": _ZIP, "xz": Program("write", "STMF", shows=True), "zstd": Program("write", "TM", shows=True, options={"-o": "write", "--output-dir-flat": "write"}),
    "cat": _READ, "tac": _READ, "nl": Program("read", "bdfhilnsvw"), "rev": _READ, "zcat": _READ, "xzcat": _READ,
    "chattr": Program("write", skip=1), "setfacl": Program("write", "mxM"),
    "chgrp": _MODE, "chmod": _MODE, "chown": _MODE,
    "cksum": _READ, "md5sum": _READ, "sha1sum": _READ, "sha256sum": _READ, "sha512sum": _READ, "b2sum": _READ,
    "cmp": Program("read", "in"), "comm": _READ, "diff": Program("read", "UCIxFX", options={"--from-file": "read", "--to-file": "read"}), "join": Program("read", "12jtaeov"),
    "cp": Program("read", "S", ("suffix", "sparse"), last="write", into=True, options=_COPY_OPTIONS),
    "cpio": _CPIO, "bsdcpio": _CPIO, "gcpio": _CPIO, "pax": Program("read", "bBopstxU", last="write", options={"-f": "read"}),
    "cut": Program("read", "bcdf", ("delimiter", "fields", "characters", "output-delimiter")),
    "du": Program("list", "dBtX", ("max-depth", "exclude", "block-size")),
    "ed": Program("write", "p", shows=True), "emacs": _EDITOR, "nano": _EDITOR, "pico": _EDITOR,
    "file": Program("list", "FeP", options={"-f": "read", "-m": "read"}), "stat": Program("list", "cf", ("format", "printf")),
    "dos2unix": Program("write"), "unix2dos": Program("write"), "sponge": Program("write"),
    "fallocate": Program("write", "lo", ("length", "offset")), "history": Program("read", "d", options={"-a": "write", "-w": "write"}),
    "shellcheck": Program("read", "efosSxCPW", ("shell", "format", "exclude")),
    "fold": Program("read", "w"), "fmt": Program("read", "wgpt"), "expand": Program("read", "t"),
    "head": Program("read", "nc", ("lines", "bytes")), "tail": Program("read", "ncs", ("lines", "bytes", "pid", "sleep-interval")),
    "hexdump": Program("read", "nsef"), "od": Program("read", "ANjtwS"), "xxd": Program("read", "clgos", last="write"), "strings": Program("read", "nte"),
    "m4": Program("read", "DUIFR", options={"-F": "write", "--freeze-state": "write"}),
    "install": Program("read", "mogS", ("mode", "owner", "group"), last="write", into=True, options=_COPY_OPTIONS, writes=("-d", "--directory")),
    "jq": Program("read", "L", ("indent",), 1, ("-f", "--from-file"), options={"-f": "read", "--from-file": "read"}),
    "less": Program("read", "bhjkpPtTxyz", options={"-o": "write", "-O": "write", "--log-file": "write"}), "more": Program("read", "n"), "most": _READ,
    "link": Program("read", last="write"), "ln": Program("read", "S", ("suffix",), last="write", into=True, options=_COPY_OPTIONS),
    "ls": Program("list", "IwT", ("ignore", "hide", "sort", "time", "color", "width")), "dir": Program("list"), "vdir": Program("list"),
    "tree": Program("list", "LPIHT", options={"-o": "write"}), "exa": Program("list", "L"), "eza": Program("list", "L"), "lsd": Program("list"),
    "mkdir": Program("write", "m", ("mode",)), "mkfifo": Program("write", "m"), "mktemp": Program("write", "", ("suffix",), options={"-p": "write", "--tmpdir": "write"}),
    "mv": Program("delete", "S", ("suffix",), last="write", into=True, shows=True, options=_COPY_OPTIONS), "rename": Program("write", skip=1),
    "patch": _PATCH, "gpatch": _PATCH,
    "paste": Program("read", "d"), "pr": Program("read", "lwho"), "shuf": Program("read", "inr", ("input-range", "head-count"), options={"-o": "write", "--output": "write", "--random-source": "read"}), "tsort": _READ,
    "readlink": Program("list"), "realpath": Program("list"), "namei": Program("list"), "lsattr": Program("list"),
    "rm": _DELETE, "rmdir": _DELETE, "unlink": _DELETE, "trash": _DELETE, "srm": _DELETE, "wipe": _DELETE,
    "shred": Program("delete", "ns", ("iterations", "size", "random-source")),
    "rsync": Program("read", "efB", ("exclude", "include", "rsh", "filter"), last="write", into=True, options=_RSYNC, globs=("--include",)),
    "scp": Program("read", "cFiJloPSDX", last="write"),
    "ssh-keygen": Program("read", "tbCNPFamIsVz", options={"-f": "write"}),
    "sort": Program("read", "kStT", ("key", "buffer-size", "field-separator"), options={"-o": "write", "--output": "write", "--files0-from": "read"}),
    "split": Program("read", "abClntS", last="write"), "csplit": Program("read", "bn", options={"-f": "write", "--prefix": "write"}), "source": _READ, ".": _READ,
    "tee": Program("write"), "touch": Program("write", "dt", ("date", "time"), options={"-r": "read", "--reference": "read"}),
    "truncate": Program("write", "s", ("size",), options={"-r": "read", "--reference": "read"}),
    "uniq": Program("read", "fsw", last="write"), "wc": Program("read", options={"--files0-from": "read"}),
    "unzip": _UNZIP, "bsdunzip": _UNZIP, "zip": Program("read", "tbnP", first="write"), "7z": _SEVEN, "7za": _SEVEN, "7zr": _SEVEN, "7zz": _SEVEN,
    "unrar": Program("read", skip=1, last="write"), "jar": Program("read", skip=1, options={"-C": "write", "--dir": "write"}),
    "vim": _VIM, "vi": _VIM, "nvim": _VIM, "view": _VIM,
    "yq": Program("read", "pIo", ("indent",), 1, writes=("-i", "--inplace")),
}  # fmt: skip
