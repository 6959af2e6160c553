"""`sandgate allow preset:NAME`: the hosts of a package manager, as this machine's own is set up; without it, the public ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, SubprocessError, run  # noqa: TID251 - the manager is asked on the host, by the operator's own word
from typing import Final
from urllib.parse import urlsplit

from server.ops.user_settings import NotSaved

PREFIX: Final = "preset:"
ASK_S: Final = 10.0

type Ask = Callable[[Sequence[str]], str]  # what the program printed; empty where it is not there or fails


@dataclass(frozen=True, slots=True)
class Preset:
    """A package manager. `variables` and then `asks` are where its index may be named; `public` is what it uses else."""

    public: tuple[str, ...]
    variables: tuple[str, ...] = ()
    asks: tuple[tuple[str, ...], ...] = ()


PRESETS: Final[Mapping[str, Preset]] = {
    "pip": Preset(
        ("index.example", "files.example"),
        ("PIP_INDEX_URL",),
        (("pip3", "config", "get", "global.index-url"), ("pip", "config", "get", "global.index-url")),
    ),
    "uv": Preset(("index.example", "files.example"), ("UV_DEFAULT_INDEX", "UV_INDEX_URL")),
    "npm": Preset(("registry.example",), ("NPM_CONFIG_REGISTRY",), (("npm", "config", "get", "registry"),)),
    "go": Preset(("goproxy.example", "gosum.example"), ("GOPROXY",), (("go", "env", "GOPROXY"),)),
    "cargo": Preset(("crates.example", "crate-files.example")),
    "apt": Preset(("deb.example", "security.example"), (), (("apt-get", "indextargets", "--format", "$(SITE)"),)),
}


def hosts(name: str, environ: Mapping[str, str], ask: Ask) -> tuple[str, ...]:
    """Entries for the list, each once. Raises NotSaved for a preset that there is not."""
    preset = PRESETS.get(name)
    if preset is None:
        raise NotSaved(f"there is no preset {name!r}; there are: {', '.join(sorted(PRESETS))}; nothing was changed")
    said = [environ.get(variable, "") for variable in preset.variables]
    for text in (*said, *map(ask, preset.asks)):
        if found := _entries(text):
            return found
    return preset.public


def _entries(text: str) -> tuple[str, ...]:
    """Hosts of the URLs in it, without a password that stands in one; ports where they are not the scheme's own."""
    urls = [urlsplit(word) for word in text.replace(",", " ").replace("|", " ").split() if "://" in word]
    return tuple(dict.fromkeys(_entry(url.hostname, url.port) for url in urls if url.hostname))


def _entry(host: str, port: int | None) -> str:
    return host if port in (None, 80, 443) else f"{host}:{port}"


def asked(command: Sequence[str]) -> str:
    """See Ask; in the root folder, where no project's own settings lie."""
    try:
        done = run(  # noqa: S603 - one of the lines above, and nothing that a caller says
            command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, timeout=ASK_S, check=True, text=True, cwd="/"
        )
    except (OSError, SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout
