# METADATA
# title: Facts shared by the rules
# description: |
#   What more than one rule needs to know, worked out once for a question. Most commands are of no interest to most
#   rules, so only those are described closely whose program the table of programs knows.
package sandgate.facts

# METADATA
# description: The commands whose program carries a tag, closely described, by tag.
tagged := {tag: [command | some [command, tags] in _known; tag in tags] |
	some known in _known
	some tag in known[1]
}

# The table is taken whole: the embedded engine looks for rules behind each key that data is asked for.
_known := [[described(index, command), tags] |
	table := data.sandgate.programs.tags
	some index, command in input.commands
	tags := _tags(table[command.name], command.path_kind)
]

# ./rm is a file of the workspace, not rm; .venv/bin/pip is pip, and does what pip does.
_tags(tags, path_kind) := tags if path_kind != "workspace"

_tags(tags, "workspace") := [tag | some tag in tags; tag in {"installer", "interpreter", "publisher"}]

# METADATA
# description: Whether any path of the question is worth a second look; the rules about paths ask more closely.
guarded(paths) if regex.match(concat("", [
	`(?m)/\.(git|env|ssh|netrc|aws|azure|kube|docker|gnupg|pgpass|npmrc|pypirc|circleci|my\.cnf|vault|cargo`,
	`|bash|profile|zsh|zlogin|inputrc|vscode|idea|claude|cursor|mcp|husky|pre-commit|config|local`,
	`|z|inputrc|yarn|curl|wget|vim|gvim|psql|sqlite|irb|pry|python|ack|ripgrep|mail|screen|mutt|pnpm|gdb|lldb|tmux`,
	`|m2|gradle`,
	`|pip|travis|drone|cirrus|appveyor|woodpecker|buildkite|devcontainer|windsurf|continue|codex|gemini|lintstaged`,
	`|venv|dotnet|nvm|opam`,
	`|[a-z]+rc$|login|rprofile|ghci|ctags|xprofile|xsession|pam_env|forward|mailcap|emacs|lesskey|lessfilter|dircolors`,
	`|mise|hg|bundle|subversion|lein|jupyter|ipython|julia`,
	`|htpasswd|[a-z]+_history)`,
	`|/(g?shadow|sudoers|id_|cron|spool|proc|sys|dev|secrets?|credentials?|service|sandgate|systemd|profile\.d|bin`,
	`|pip\.conf`,
	`|shims|hooks|lefthook|jenkinsfile|azure-p|bitbucket-p|kubeconfig|private|site-packages|sitecustomize|usercustomize)`,
	`|\.(pem|key|p12|pfx|jks|keystore|kdbx|tfstate|ovpn|ppk)|(^|\n)/(home(/[^/\n]*)?|root)?(\n|$)`,
]), lower(concat("\n", [path.resolved | some path in paths])))

redirects := [{"op": redirect.op, "path": redirect.path, "dynamic": redirect.dynamic} |
	some command in input.commands
	some redirect in command.redirects
]

assigns := [{
	"name": assign.name,
	"value": assign.value,
	"appends": object.get(assign, "appends", null),
	"prepends": object.get(assign, "prepends", null),
	"command": command.name,
	"path_kind": command.path_kind,
} |
	some command in input.commands
	some assign in command.assigns
]

# METADATA
# description: |
#   A command with its place in the script and its static words, as a list and as lines. Options that are only known by
#   what they begin with (-r$x) follow as lines of their own that end in a sign no option has.
described(index, command) := object.union(command, {
	"index": index,
	"words": words,
	"begun": begun,
	"text": concat("\n", array.concat(words, begun)),
}) if {
	words := [word | some place, word in command.argv; place > 0; word != null]
	begun := [concat("", [known, "…"]) | some place, known in command.known; _begins_an_option(command.argv[place], known)]
}

_begins_an_option(word, known) if {
	is_null(word)
	startswith(known, "-")
}

label(command) := substring(command.name, 0, 60) if is_string(command.name)

label(command) := "a command" if is_null(command.name)

# Options may be clustered (-rf), and long ones may be cut short (--recurs).
has_short(command, letters) if {
	regex.match(concat("", [`(?m)^-[A-Za-z0-9]*[`, letters, `]`]), command.text)
}

has_long(command, name) if {
	some word in array.concat(command.words, command.begun)
	startswith(word, "--")
	given := trim_suffix(split(word, "=")[0], "…")
	count(given) > 3
	startswith(name, given)
}

# METADATA
# description: Whether a remover takes folders with all that is in them.
recursive(command) if has_short(command, "rR")

recursive(command) if has_long(command, "--recursive")

recursive(command) if command.name in {"del-cli", "rimraf"}

runs_by(command, wrapper) if {
	some via in command.via
	startswith(via, wrapper)
}

# METADATA
# description: The sub-command and what follows it, for each described program that has such, by place of the command.
sub_commands := {command.index: verbs(command) |
	some tag in ["installer", "publisher", "remote"]
	some command in object.get(tagged, tag, [])
}

# METADATA
# description: The same of one such command. Asked for here: data that is asked by a key costs as much as a rule.
sub_command(command) := sub_commands[command.index]

# METADATA
# description: |
#   The sub-command and all that follows it, past the options in front (git -C x push). null where it is dynamic.
verbs(command) := [] if count(command.argv) < 2

verbs(command) := array.slice(command.argv, 1, count(command.argv)) if {
	first := command.argv[1]
	not _in_front(first)
}

verbs(command) := array.slice(command.argv, at, count(command.argv)) if {
	_in_front(command.argv[1])
	valued := object.get(data.sandgate.settings.valued, command.name, [])
	at := min(array.concat([count(command.argv)], [place |
		some place, word in command.argv
		place > 0
		not _in_front(word)
		not command.argv[place - 1] in valued
	]))
}

_in_front(word) if {
	word != null
	substring(word, 0, 1) in {"-", "+"}
}
