"""`sandgate allow preset:NAME`: the hosts of a package manager, as this machine's own names them."""

import sys
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
    """A package manager: in `variables`, and then by what `asks` print, it says where its index is."""

    variables: tuple[str, ...] = ()
    asks: tuple[tuple[str, ...], ...] = ()


_PIPS_OWN: Final = (
    "from pip._internal.models.index import PyPI as own; print(own.url, 'https://' + own.file_storage_domain)"
)
_PIP: Final = (
    ("pip3", "config", "get", "global.index-url"),
    ("pip", "config", "get", "global.index-url"),
    ("python3", "-c", _PIPS_OWN),
    (sys.executable, "-c", _PIPS_OWN),
)

PRESETS: Final[Mapping[str, Preset]] = {
    "pip": Preset(("PIP_INDEX_URL",), _PIP),
    "uv": Preset(("UV_DEFAULT_INDEX", "UV_INDEX_URL"), _PIP),
    "npm": Preset(("NPM_CONFIG_REGISTRY",), (("npm", "config", "get", "registry"),)),
    "go": Preset(("GOPROXY",), (("go", "env", "GOPROXY"),)),
    "apt": Preset((), (("apt-get", "indextargets", "--format", "$(SITE)"),)),
}


def hosts(name: str, environ: Mapping[str, str], ask: Ask) -> tuple[str, ...]:
    """Entries for the list, each once. Raises NotSaved for a preset that there is not, or a manager that does not say."""
    preset = PRESETS.get(name)
    if preset is None:
        raise NotSaved(f"there is no preset {name!r}; there are: {', '.join(sorted(PRESETS))}; nothing was changed")
    said = [environ.get(variable, "") for variable in preset.variables]
    for text in (*said, *map(ask, preset.asks)):
        if found := _entries(text):
            return found
    raise NotSaved(
        f"{name} does not say here where its index is; name the host: sandgate allow HOST; nothing was changed"
    )


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
