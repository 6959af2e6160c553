"""The hosts a command line names: in URLs anywhere, and in the operands of programs that dial."""

import re
from collections.abc import Iterator
from itertools import pairwise

from policy.reading.effect import Call
from policy.reading.options import Grammar, parse
from policy.reading.piece import Word

_URL = re.compile(
    r"(?:^|[=+\s'\"(,@:])[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?(\[[0-9a-f:.]+\]|[^/:?#\s'\"\\,;)]+)", re.IGNORECASE
)
_DEVICE = re.compile(r"/dev/(?:tcp|udp)/([^/]+)/")
_REMOTE = re.compile(r"(?:[\w.-]+@)?(\[[0-9a-f:.]+\]|[\w.-]+):(?!//|:).*", re.IGNORECASE)  # scp's and git's host:path
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+")

_CURL = Grammar(
    short="AbcCdDeEFhHKmoPQrtTuUwxXyYz",
    long=(
        "output", "request", "header", "data", "data-raw", "data-binary", "data-urlencode", "data-ascii", "form", "user",
        "user-agent", "referer", "cookie", "cookie-jar", "proxy", "upload-file", "max-time", "connect-timeout", "retry",
        "retry-delay", "retry-max-time", "range", "resolve", "connect-to", "cacert", "cert", "key", "config", "write-out",
        "interface", "limit-rate", "output-dir", "json", "url", "form-string", "dump-header", "max-redirs", "noproxy",
        "capath", "ciphers", "unix-socket", "socks5", "socks5-hostname", "socks4", "socks4a", "preproxy", "proxy-user",
        "oauth2-bearer", "aws-sigv4", "time-cond", "continue-at", "create-file-mode", "quote", "stderr", "trace",
        "trace-ascii", "netrc-file", "dns-servers", "doh-url", "max-filesize", "tls-max", "cert-type", "key-type", "pass",
    ),
    flags=("data-", "proxy-", "compressed", "fail", "silent", "location", "head", "remote-name", "get", "insecure"),
    permute=True,
)  # fmt: skip
_WGET = Grammar(
    short="OPoaieUtTQwBlADRIX",
    long=(
        "output-document", "directory-prefix", "output-file", "append-output", "input-file", "execute", "user-agent",
        "tries", "timeout", "quota", "wait", "base", "level", "accept", "reject", "domains", "header", "post-data",
        "post-file", "body-data", "body-file", "method", "user", "password", "ca-certificate", "certificate",
        "private-key", "load-cookies", "save-cookies", "referer", "limit-rate", "http-user", "http-password",
    ),
    permute=True,
)  # fmt: skip
_SSH = Grammar(short="BbcDEeFIiJLlmOopQRSWw", permute=True)
_NC = Grammar(short="pswiXxqIOTGmMVec", permute=True)
_COPY = Grammar(short="cDFiJlPoSXefTB", long=("rsh", "exclude", "include", "files-from", "port"), permute=True)

_FIRST = {"nc": _NC, "ncat": _NC, "netcat": _NC, "telnet": Grammar(short="nelbaXk"), "ftp": Grammar(short="P"),
          "ssh": _SSH, "slogin": _SSH, "mosh": Grammar(long=("ssh", "port")), "ping": Grammar(short="cWwiIst"),
          "dig": Grammar(short="bcfkpqtxy"), "nslookup": Grammar(), "host": Grammar(short="cmNRtW"),
          "ssh-keyscan": Grammar(short="pTt"), "sftp": _COPY, "whois": Grammar(short="hp"),
          "traceroute": Grammar(short="fgimpqstwz") }  # fmt: skip
_EVERY = {"curl": _CURL, "wget": _WGET, "wget2": _WGET, "http": Grammar(permute=True), "https": Grammar(permute=True),
          "aria2c": Grammar(short="dox", permute=True), "xh": Grammar(permute=True)}  # fmt: skip
_COPIES = {"scp": _COPY, "rsync": _COPY, "sftp": _COPY, "git": Grammar(short="Cc", permute=True)}
_GIT_ONE = frozenset(("fetch", "pull", "push", "ls-remote"))
_GIT_MORE = frozenset(("clone", "remote", "submodule", "archive"))
_HOST_OPTIONS = ("-x", "--proxy", "--connect-to", "--resolve", "-h", "--trusted-host", "--host", "-connect")


def hosts(call: Call) -> Iterator[str]:
    """Host names and addresses, lower case, in the order they stand; those behind a variable are not seen."""
    for word in call.words:
        yield from urls(_reliable(word))
        yield from map(clean, _DEVICE.findall(word.begins))
    name = call.name
    if name in _FIRST:
        yield from _named(parse(call.operands, _FIRST[name]).operands[:1])
    elif name in _EVERY:
        yield from _named(parse(call.operands, _EVERY[name]).operands)
    found = [_REMOTE.fullmatch(word.begins) for word in _copied(call)]
    yield from (clean(match[1]) for match in found if match)
    yield from _optional(call)


def urls(text: str) -> Iterator[str]:
    return map(clean, (found[1] for found in _URL.finditer(text))) if "://" in text else iter(())


def _copied(call: Call) -> tuple[Word, ...]:
    """Operands that may be host:path; what follows the remote of git push is a refspec."""
    if call.name not in _COPIES:
        return ()
    operands = parse(call.operands, _COPIES[call.name]).operands
    if call.name != "git":
        return operands
    verb = operands[0].text if operands else None
    return operands[1:2] if verb in _GIT_ONE else operands[1:] if verb in _GIT_MORE else ()


def _reliable(word: Word) -> str:
    """A URL that breaks off inside its host names no host yet; a slash in its place keeps it from matching."""
    text = word.begins
    if word.text is None and word.reason != "glob" and re.search(r"://[^/]*$", text):
        return text.rpartition("://")[0]
    return text


def _named(words: tuple[Word, ...]) -> Iterator[str]:
    """Operands that are a host, [user@]host[:port][/path]; URLs were read already."""
    for word in words:
        text = word.begins
        if "://" in text or not text or (word.text is None and "/" not in text and word.reason != "glob"):
            continue
        bare = text.partition("/")[0].rpartition("@")[2]
        name = bare if bare.startswith("[") or bare.count(":") > 1 else bare.partition(":")[0]
        if _NAME.fullmatch(name):
            yield clean(name)


def _optional(call: Call) -> Iterator[str]:
    if call.name not in ("curl", "openssl", "pip", "pip3", "mysql", "psql", "redis-cli"):
        return
    for before, word in pairwise(call.words):
        if before.text in _HOST_OPTIONS and word.text:
            yield from _named((word,))


def clean(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
