"""git runs commands from its options, its configuration and some of its sub-commands."""

import re

from policy.reading.effect import Call, Effects, Run, RunScript
from policy.reading.options import Grammar, Parsed, parse
from policy.reading.piece import Word, static

GLOBAL = Grammar(short="Cc", long=("git-dir", "work-tree", "namespace", "config-env", "super-prefix", "attr-source"))
_ANY = Grammar(short="x", attached="O", long=("exec", "extcmd", "upload-pack", "receive-pack"), permute=True)
_CLONE = Grammar(short="ubocj", long=("upload-pack", "branch", "origin", "config", "depth", "jobs"), permute=True)

# Configuration whose value git hands to a shell.
_RUNS = re.compile(
    r"alias\..+|core\.(pager|editor|sshcommand|fsmonitor|askpass|gitproxy)|sequence\.editor|diff\.external"
    r"|diff\..+\.(command|textconv)|merge\..+\.driver|(merge|diff)tool\..+\.(cmd|path)|filter\..+\.(clean|smudge|process)"
    r"|credential\.(.+\.)?helper|pager\..+|gpg\.(.+\.)?program|uploadpack\.packobjectshook"
    r"|remote\..+\.(uploadpack|receivepack|vcs)|interactive\.difffilter|web\.browser|(browser|man)\..+\.cmd"
    r"|submodule\..+\.update|sendemail\..*cmd|trailer\..+\.(command|cmd)"
)
_FILTERS = (
    "--env-filter", "--tree-filter", "--index-filter", "--parent-filter", "--msg-filter", "--commit-filter",
    "--tag-name-filter", "--setup",
)  # fmt: skip
_FILTER_BRANCH = Grammar(long=tuple(name.lstrip("-") for name in _FILTERS), permute=True)
_TEXT_OPTIONS = {
    "rebase": ("-x", "--exec"),
    "difftool": ("-x", "--extcmd"),
    "grep": ("-O", "--open-files-in-pager"),
    "clone": ("--upload-pack", "-u"),
    "fetch": ("--upload-pack",),
    "pull": ("--upload-pack",),
    "ls-remote": ("--upload-pack", "--exec"),
    "fetch-pack": ("--upload-pack", "--exec"),
    "push": ("--receive-pack", "--exec"),
    "send-pack": ("--receive-pack", "--exec"),
    "archive": ("--exec",),
}


def run(call: Call) -> Effects:
    """Everything this git command line hands to a shell or starts itself."""
    parsed = parse(call.operands, GLOBAL)
    configured = tuple(effect for word in parsed.values("-c") for effect in _setting(word))
    rest = parsed.operands
    transports = tuple(
        RunScript(word.text.removeprefix("ext::"), "sh", "git ext::")
        for word in rest
        if word.text and word.text.startswith("ext::")
    )
    texts = dict(word.text.partition("=")[::2] for word in parsed.values("-c") if word.text is not None)
    if rest and (text := texts.get(f"alias.{rest[0].text}", "")) and not text.startswith("!"):
        configured += (Run((call.words[0], *(static(word) for word in text.split()), *rest[1:]), "git alias"),)
    return configured + transports + (_subcommand(rest[0].text or "", rest[1:]) if rest else ())


def program(call: Call) -> Effects:
    """git-push, as git calls it: git push."""
    return (Run((static("git"), static(call.name.removeprefix("git-")), *call.operands), call.name),)


def _setting(word: Word) -> Effects:
    key, _, text = word.begins.partition("=")
    return _configured(key, None if word.text is None else text)


def _configured(key: str, text: str | None) -> Effects:
    if not _RUNS.fullmatch(key.lower()) or text in ("", "true", "false"):
        return ()
    if text is not None and key.lower().startswith("alias.") and not text.startswith("!"):
        text = f"git {text}"
    command = None if text is None else text.removeprefix("!")
    return (RunScript(command, "sh", f"git {key}", later=True, lenient=True),)


def _subcommand(verb: str, words: tuple[Word, ...]) -> Effects:
    match verb:
        case "config":
            return _config(words)
        case "bisect" if words and words[0].text == "run":
            return (Run(words[1:], "git bisect run"),) if words[1:] else ()
        case "submodule" if (start := _foreach(words)) is not None:
            texts = [word.text for word in words[start:] if word.text not in ("--recursive", "--quiet", "-q")]
            code = None if None in texts else " ".join(text for text in texts if text)
            return (RunScript(code, "sh", "git submodule foreach"),)
        case "for-each-repo":
            inner = parse(words, Grammar(long=("config",))).operands
            return (Run((static("git"), *inner), "git for-each-repo"),) if inner else ()
        case "filter-branch":
            parsed = parse(words, _FILTER_BRANCH)
            return tuple(RunScript(word.text, "sh", "git filter-branch") for word in parsed.values(*_FILTERS))
        case _:
            return _texts(verb, parse(words, _CLONE if verb == "clone" else _ANY))


def _foreach(words: tuple[Word, ...]) -> int | None:
    return next((index + 1 for index, word in enumerate(words) if word.text == "foreach"), None)


def _texts(verb: str, parsed: Parsed) -> Effects:
    names = _TEXT_OPTIONS.get(verb, ())
    return tuple(
        RunScript(word.text, "sh", f"git {verb} {names[0]}") for word in parsed.values(*names) if word.text != ""
    )


def _config(words: tuple[Word, ...]) -> Effects:
    operands = parse(words, Grammar(short="f", long=("file", "blob", "type", "default", "comment"))).operands
    if operands and operands[0].text == "set":
        operands = parse(operands[1:], Grammar(short="f", long=("file",))).operands
    pairs = 2
    return _configured(operands[0].begins, operands[1].text) if len(operands) >= pairs else ()
