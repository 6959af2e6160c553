# METADATA
# title: The operator's settings
# description: |
#   The one place that reads data.sandgate_config and the table of programs. Where a session's work lies comes with the
#   question, because sessions differ in it. Rules ask here, because a rule is worked out once for a question, and where
#   an operator has rules each reference to data costs the embedded engine as much as thirty to a rule.
#   The loader writes every setting; where one is missing the rules that need it are undefined, and the answer is deny.
package sandgate.settings

all := object.union(data.sandgate_config, place)

all := object.union(data.sandgate_config, {"home": "/nonexistent", "workspaces": []}) if not place

# METADATA
# description: Where the session's work lies. Undefined where the question does not say it as it should.
place := {"home": home, "workspaces": workspaces} if {
	home := input.session.home
	workspaces := input.session.workspaces
	is_string(home)
	is_array(workspaces)
	[path | some path in workspaces; not is_string(path)] == []
}

# METADATA
# description: For each program the tags by which rules know it.
tags := data.sandgate.programs.tags

# METADATA
# description: For each program the options that take the next word as their value.
valued := data.sandgate.programs.valued

# METADATA
# description: Programs that only read and print, which `strict` lets run without an entry of the operator's.
readers := {
	":", "[", "b2sum", "basename", "break", "cat", "cd", "cksum", "cmp", "column", "comm", "command", "continue", "cut",
	"date", "declare", "df", "diff", "dirname", "du", "echo", "egrep", "exit", "expand", "export", "expr", "false",
	"fgrep", "file", "fmt", "fold", "free", "getopts", "grep", "head", "hexdump", "hostname", "id", "join", "jq",
	"local", "ls", "mapfile", "md5sum", "nl", "nproc", "numfmt", "od", "paste", "printf", "pwd", "read",
	"readarray", "readlink", "readonly", "realpath", "return", "rev", "rg", "sed", "seq", "set", "sha1sum", "sha256sum",
	"sha512sum", "shift", "sleep", "sort", "stat", "strings", "tac", "tail", "test", "time", "timeout", "tr", "trap",
	"tree", "true", "tsort", "type", "typeset", "uname", "unexpand", "uniq", "unset", "uptime", "wait", "wc", "which",
	"whoami", "xargs", "zcat",
}

# METADATA
# description: |
#   Folders of the home folder that people put on their search path. Changing what lies there is asked about.
tool_folders := concat("", [
	`\.(venv|local|npm-global|cargo|bun|deno|pyenv|rbenv|nodenv|goenv|rvm|poetry|ghcup|cabal|volta|krew|foundry|yarn`,
	`|juliaup|nimble|luarocks|pub-cache)/bin|\.(pyenv|rbenv|nodenv|goenv|asdf)/shims|\.nvm/versions/node/[^/]+/bin`,
	`|\.opam/[^/]+/bin|\.dotnet(/tools)?|go/bin|bin`,
])

# METADATA
# description: |
#   A pattern for sed that changes what happens to commits in git's list for a rebase. It never makes an exec line.
todo_editor := concat("", [
	`sed -i(\.bak)?( -(E|e))*( ['"]?(`, _todo_edit, `)(; ?(`, _todo_edit, `))*['"]?)+`,
])

_todo_edit := concat("", [
	`([0-9]+(,([0-9]+|\$))?!? ?)?(s/\^?`, _todo_verb, `(\\b)?( [0-9a-f]{4,40})?/`, _todo_verb, `( [0-9a-f]{4,40})?/g?|d)`,
])

_todo_verb := `(pick|squash|fixup|edit|reword|drop|[psferd])`
