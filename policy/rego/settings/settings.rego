# METADATA
# title: The operator's settings
# description: |
#   The one place that reads data.sandgate_config and the table of programs. Where a session's work lies comes with the
#   question, because sessions differ in it. Rules ask here, because a rule is worked
#   out once for a question, and each reference to data costs the embedded engine as much as thirty to a rule.
#   The loader writes every setting; where one is missing the rules that need it are undefined, and the answer is deny.
package sandgate.settings

all := object.union(data.sandgate_config, _place(object.get(input, "session", {})))

_place(session) := {"home": session.home, "workspaces": session.workspaces} if _is_place(session)

_place(session) := {"home": "/nonexistent", "workspaces": []} if not _is_place(session)

_is_place(session) if {
	is_object(session)
	is_string(session.home)
	is_array(session.workspaces)
	count([path | some path in session.workspaces; not is_string(path)]) == 0
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
	"[", ":", "basename", "break", "cat", "cd", "cmp", "column", "comm", "command", "continue", "cut", "date", "df",
	"diff", "dirname", "du", "echo", "exit", "expand", "expr", "false", "file", "fold", "grep", "head", "hexdump",
	"id", "jq", "local", "ls", "md5sum", "nl", "od", "paste", "printf", "pwd", "read", "readlink", "realpath",
	"return", "rev", "rg", "seq", "set", "sha256sum", "shift", "sleep", "stat", "tac", "tail", "test", "time",
	"timeout", "tr", "tree", "true", "type", "uname", "uniq", "unset", "wait", "wc", "which", "whoami",
}

# METADATA
# description: |
#   A pattern for sed that changes what happens to commits in git's list for a rebase. It never makes an exec line.
todo_editor := concat("", [
	`sed -i(\.bak)?( -(E|e))*( '?([0-9]+(,([0-9]+|\$))?)?s/\^?(pick|p)\b?( [0-9a-f]{4,40})?/`,
	`(pick|squash|fixup|edit|reword|drop|[psferd])( [0-9a-f]{4,40})?/g?'?)+`,
])
