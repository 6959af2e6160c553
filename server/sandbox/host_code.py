"""Which files of a project make a host run code by themselves: without anybody starting the project's own programs.

git runs hooks and what its config names; a shell hook runs .envrc; editors, agents and CI servers run what their folders
say. A Makefile or a conftest.py is not here: that is code which a person decides to run, and reads first.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

GIT: Final = ".git"

# At any depth, and all that lies below.
NAMES: Final = frozenset({
    GIT,
    # shells and version managers that run a folder's file on `cd`
    ".envrc", ".direnv", ".autoenv", ".autoenv.zsh", ".env.zsh", ".mise.toml", "mise.toml", ".mise", ".mise.local.toml",
    "mise.local.toml", ".tool-versions", ".rtx.toml",
    # hooks that a hook runner, or git's core.hooksPath, is commonly told of
    ".husky", ".githooks", ".hooks", "lefthook.yml", ".lefthook.yml", "lefthook.yaml", ".lefthook", ".pre-commit-config.yaml",
    ".pre-commit-hooks.yaml", ".overcommit.yml", ".git-hooks", "lefthook.toml", "lefthook.json", "lefthook-local.yml",
    ".lefthook-local.yml", "lefthook-local.yaml", ".lintstagedrc", ".lintstagedrc.json", ".lintstagedrc.js", ".lintstagedrc.cjs",
    ".lintstagedrc.mjs", ".lintstagedrc.yaml", ".lintstagedrc.yml",
    # editors
    ".vscode", ".idea", ".fleet", ".zed", ".vs", ".devcontainer", ".devcontainer.json", ".nvim.lua", ".nvimrc", ".exrc",
    ".lazy.lua", ".vimrc", ".gvimrc", ".lvimrc", ".dir-locals.el", ".dir-locals-2.el", ".projectile", ".helix", ".theia",
    # agents
    ".claude", ".mcp.json", "mcp.json", ".cursor", ".cursorrules", ".windsurf", ".windsurfrules", ".codex", ".gemini",
    ".continue", ".aider.conf.yml", ".roo", ".roomodes", ".cline", ".clinerules", ".kiro", ".opencode", "opencode.json",
    ".amazonq", ".junie", ".qwen", ".goosehints", ".crush", ".crush.json", "crush.json", ".trae", ".factory",
    # CI
    ".gitlab-ci.yml", ".gitlab", ".circleci", ".travis.yml", ".drone.yml", ".woodpecker", ".woodpecker.yml", ".buildkite",
    ".teamcity", ".semaphore", "jenkinsfile", "azure-pipelines.yml", "bitbucket-pipelines.yml", "appveyor.yml",
    ".appveyor.yml", "cloudbuild.yaml", ".cirrus.yml", ".forgejo", ".gitea", ".tekton", ".ci", "buildspec.yml",
})  # fmt: skip

# Those that are only a part of a folder with other uses.
PLACES: Final = ((".github", "workflows"), (".github", "actions"), (".config", "mise.toml"), (".config", "mise"))
SUFFIXES: Final = (".code-workspace", ".sublime-project")

# In .git: what only holds history. All else there is configuration, or is run.
HISTORY: Final = frozenset({
    "objects", "refs", "logs", "HEAD", "ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD", "packed-refs", "index", "COMMIT_EDITMSG",
})  # fmt: skip

# And of that, what makes git run something, where the folder itself is in use on both sides (`rw`).
GIT_RUNS: Final = ("config", "config.worktree", "hooks", "commondir", "gitdir", "modules", "worktrees")

# What HFS+, or ext4 where it takes no notice of case, leaves out when it compares names: `.g\u200cit` is `.git` there.
# All that Unicode calls ignorable by default, which is what Linux did until 6.13, and more than what Apple does.
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_TELLING: Final = frozenset("hHoOrRcC")  # how HEAD, objects, refs and commondir begin: a folder may have 100,000 names


def _short(name: str) -> str:
    """What Windows also calls a name that is longer than its first ones were, up to the number: `vscode` of `.vscode`."""
    return name.lstrip(".").partition(".")[0][:6]


_LONG: Final = {_short(name): name for name in sorted(NAMES | {part for place in PLACES for part in place})} | {
    "git": GIT
}
_SHORT: Final = re.compile(r"([^~.]{1,6})~[0-9]+(?:\.[^.]*)?")


def plain(name: str) -> str:
    """The name as the least exact of file systems compares it."""
    seen = name.lower() if name.isascii() else _UNSEEN.sub("", name).casefold()
    seen = seen.rstrip(". ").partition(":")[0]
    short = _SHORT.fullmatch(seen) if "~" in seen else None
    return _LONG.get(short[1], seen) if short else seen


def reasons(path: str) -> tuple[str, ...]:
    """The parts of a path, as it spells them, for which it is held back; none where it is not."""
    parts = path.split("/")
    names = [plain(part) for part in parts]
    found = [parts[place] for place in range(len(names)) if is_run(names[place], names[place - 1] if place else "")]
    if GIT in names and (inside := parts[names.index(GIT) + 1 :]) and inside[0] not in HISTORY:
        found.append(inside[0])
    return tuple(dict.fromkeys(found))


def is_run(name: str, folder: str) -> bool:
    """Whether a host runs what is in an entry of that name, in a folder of that name; both as `plain` has them."""
    return name in NAMES or name.endswith(SUFFIXES) or (folder, name) in PLACES


def is_repository(names: Iterable[str]) -> bool:
    """Whether git takes a folder with these in it for a bare repository, whatever it is called: it obeys the config in one,
    or in the folder that its commondir names."""
    found = {plain(name) for name in names if name[:1] in _TELLING or not name.isascii()}
    return "head" in found and ({"objects", "refs"} <= found or "commondir" in found)


def like_repositories(paths: Iterable[str]) -> frozenset[str]:
    """The folders of these paths that are such."""
    held = defaultdict[str, list[str]](list)
    for path in paths:
        folder, _, name = path.rpartition("/")
        held[folder].append(name)
    return frozenset(folder for folder, names in held.items() if is_repository(names))


def globs(folder: str) -> tuple[str, ...]:
    """The same as globs of the policy, for a folder inside: they bind tools and the words of parsed commands.

    Few, because each costs every question; letters that such a glob cannot hold are any letter there.
    """
    root = re.sub(r"([*?\[\]{}\\])", r"\\\1", re.sub(r"[^\x20-\x7e]", "?", folder))
    places = [*("/".join(place) for place in PLACES), *(f"{GIT}/{name}" for name in GIT_RUNS)]
    names = ",".join([*sorted(NAMES - {GIT}), *(f"*{suffix}" for suffix in SUFFIXES), *places])
    return tuple(f"{root}/{deeper}{glob}" for deeper in ("", "**/") for glob in (GIT, f"{{{names}}}/**"))


def leads_out(path: str, target: str) -> bool:
    """Whether a link at that path could lead out of the folder, whatever other links lie on its way."""
    if target.startswith("/") or not target:
        return True
    up, depth, down = 0, path.count("/"), False
    for part in target.split("/"):
        if part == "..":
            if down:
                return True
            up += 1
        elif part not in ("", "."):
            down = True
    return up > depth
