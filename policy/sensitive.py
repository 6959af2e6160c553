"""Names that a glob is tried with: bash would expand `.en*` to .env, so the rules must hear of .env."""

import re
from collections.abc import Iterator
from fnmatch import translate
from functools import cache
from itertools import islice, product

MOST = 32  # names that one glob stands for
_NAMES = (
    ".env", ".env.local", ".env.production", ".envrc", ".netrc", ".pgpass", ".git-credentials", ".pypirc", ".npmrc",
    ".my.cnf", ".vault-token", ".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".config", ".git", ".bashrc",
    ".profile", ".zshrc", ".bash_profile", ".gitconfig", ".gitlab-ci.yml", ".github", ".vscode", ".claude",
    "id_rsa", "id_ed25519", "id_ecdsa", "credentials", "shadow", "gshadow", "sudoers", "hooks", "environ", "mem",
    "secrets", "hosts.yml",
)  # fmt: skip
_FOLDERS = ("etc", "home", "proc", "root", "run")  # of the root
_GLOB = re.compile(r"[*?\[]|[@!+?*]\(")
_NEGATED = re.compile(r"!\([^)]*\)")
_WILD = re.compile(r"\[[^\]]*\]|[*?@!+()|]")
_CLASS = re.compile(r"\[:[a-z]+:\]")
_ONE = re.compile(r"\[([.=])(.)\1\]")
_GUARDED = re.compile(
    r"(?:[^\s]*/)?(?:\.[A-Za-z*?\[{@+!][^/\s]*|id_\S+|g?shadow|credentials|secrets?\.\w+)|\S*\.(?:pem|key|p12|pfx|jks|kdbx)"
    r"|\S*\.(?:git|ssh|aws|azure|gnupg|kube|docker)/\S*"
)
_LONGEST = 256  # that a guarded name may be, or it is text
_LETTERS = 2  # that a pattern must name before it is taken to mean a name: `*` and `?` mean all names


def guarded(text: str) -> bool:
    """Whether a text is a name of a file that the rules may guard, or a pattern of such names."""
    return len(text) <= _LONGEST and _GUARDED.fullmatch(text) is not None


def meant(pattern: str) -> Iterator[str]:
    """The paths with sensitive names that an absolute pattern may be expanded to; itself not among them."""
    if not _GLOB.search(pattern):
        return
    plain = _ONE.sub(r"\2", _CLASS.sub("a-zA-Z0-9._-", pattern))
    parts = [_choices(part, is_top=place == 1) for place, part in enumerate(plain.split("/"))]
    for chosen in islice(product(*parts), MOST):
        path = "/".join(chosen)
        if path != pattern:
            yield path


def _choices(part: str, *, is_top: bool) -> tuple[str, ...]:
    """The part itself, and the names that it may stand for."""
    if not _GLOB.search(part):
        return (part,)
    plain = _WILD.sub("", _NEGATED.sub("", part))
    if is_top:
        return (part, *(name for name in _FOLDERS if plain and _compiled(part).fullmatch(name)))
    starts_with_dot = part.startswith(".") or part[1:3] == "(."
    if len(plain) < _LETTERS and not starts_with_dot:
        return (part,)
    matcher = _compiled(part)
    names = (name for name in _NAMES if name.startswith(".") == starts_with_dot)  # no `*` stands for a dot in front
    return (part, *(name for name in names if matcher.fullmatch(name)))


@cache
def _compiled(part: str) -> re.Pattern[str]:
    """Extended globs are read loosely: what they may stand for, not what they leave out."""
    loose = re.sub(r"[@!+?*]\([^)]*\)", "*", part).replace("[^", "[!")
    return re.compile(translate(loose))
