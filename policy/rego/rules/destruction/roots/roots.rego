# METADATA
# title: Destruction of a whole tree
# description: |
#   Removing, overwriting or opening up a whole workspace, home or system tree is denied. What lies beneath them may be
#   removed by name.
# custom:
#   held_by: words
package sandgate.rules.destruction.roots

import data.sandgate.facts
import data.sandgate.paths

_help := "Name the files or folders beneath it that should go, such as `rm -rf build dist`."

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.remover
	_recursive(command)
	some path in paths.of(command)
	paths.is_root(path)
	reason := sprintf("%s -r was to remove all of %s.", [command.name, path])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.finder
	_finder_removes(command)
	_finds_root(command)
	reason := sprintf("%s was to delete what it finds from the root of a whole tree.", [command.name])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.mover
	_moves_tree(command)
	some path in _changed(command)
	paths.is_root(path)
	not _opens_up_own(command, path)
	reason := sprintf("%s was to change all of %s.", [command.name, path])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.remote
	command.name == "rsync"
	regex.match(`(?m)^--(del|delete[a-z-]*)$`, command.text)
	some path in paths.named(command.cwd, [_rsync_target(command)])
	paths.is_root(path)
	reason := sprintf("rsync --delete was to remove what is in %s and not in the source.", [path])
}

# The last word that is no option and no value of one, wherever the options stand.
_rsync_target(command) := targets[count(targets) - 1] if {
	targets := [word |
		some at, word in command.argv
		at > 0
		is_string(word)
		not startswith(word, "-")
		not _is_value(command.argv[at - 1])
	]
}

_is_value(before) if {
	is_string(before)
	regex.match(_rsync_valued, before)
}

_rsync_valued := concat("", [
	`^(-[A-Za-z]*[efTBM]|--(exclude|include|filter|rsh|rsync-path|files-from|exclude-from|include-from|max-size`,
	`|min-size`,
	`|backup-dir|suffix|temp-dir|compare-dest|copy-dest|link-dest|partial-dir|log-file|bwlimit|timeout|port|out-format`,
	`|chmod|chown|block-size|max-delete|password-file))$`,
])

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.remote
	command.name == "rsync"
	regex.match(`(?m)^--remove-s`, command.text)
	some path in paths.named(command.cwd, array.slice(command.words, 0, count(command.words) - 1))
	paths.is_root(path)
	reason := sprintf("rsync --remove-source-files was to move all of %s away.", [path])
}

findings contains {"effect": "ask", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.launcher
	_archives_away(command)
	some path in paths.of(command)
	paths.is_root(path)
	reason := sprintf("%s was to move all of %s into an archive.", [command.name, path])
}

# What is named to xargs counts as named to rm.
findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.remover
	"input" in command.dynamic
	_recursive(command)
	some path in input.paths
	path.op == "delete"
	paths.is_root(path.resolved)
	reason := sprintf("%s -r was to remove all of %s.", [command.name, path.resolved])
}

# Whatever stands between find and it: find . -exec env rm {} +, find . -exec sh -c 'rm "$@"' _ {} +
findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.remover
	count({"input", "param"} & {why | some why in command.dynamic}) > 0
	facts.runs_by(command, "find ")
	some finder in object.get(data.sandgate.facts.tagged, "finder", [])
	regex.match(`(?m)^-(exec|ok)`, finder.text)
	_finds_root(finder)
	reason := sprintf("%s was to delete what find finds from the root of a whole tree.", [command.name])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.mover
	command.name in {"mv", "truncate"}
	facts.runs_by(command, "xargs")
	some finder in object.get(data.sandgate.facts.tagged, "finder", [])
	_finds_root(finder)
	reason := sprintf("%s was to change all that find lists from the root of a whole tree.", [command.name])
}

# What find lists without saying which, xargs hands to rm.
findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.remover
	facts.runs_by(command, "xargs")
	some finder in object.get(data.sandgate.facts.tagged, "finder", [])
	_finds_root(finder)
	reason := sprintf("%s was to delete all that find lists from the root of a whole tree.", [command.name])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.shredder
	some path in paths.of(command)
	_under_system(path)
	reason := sprintf("%s was to overwrite %s.", [command.name, path])
}

_recursive(command) if facts.recursive(command)

_recursive(command) if command.name in {"trash", "trash-put", "rmtrash"}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.remover
	some at, why in command.dynamic
	why == "cmdsub"
	command.known[at] == ""
	some finder in object.get(data.sandgate.facts.tagged, "finder", [])
	"$()" in finder.via
	_finds_root(finder)
	reason := sprintf("%s was to delete all that find lists from the root of a whole tree.", [command.name])
}

_finder_removes(command) if "-delete" in command.words

_finder_removes(command) if {
	regex.match(`(?m)^-(exec|execdir|ok|okdir)\n([^\n]*/)?(rm|shred|unlink|truncate|mv)$`, command.text)
}

_finds_root(command) if {
	some path in _starts(command)
	path in data.sandgate.paths.roots
	not path in data.sandgate.settings.all.workspaces
}

_finds_root(command) if {
	not paths.finds_narrowly(command)
	some path in _starts(command)
	path in data.sandgate.settings.all.workspaces
}

_starts(command) := {path | some path in paths.named(command.cwd, _operands(command))}

_operands(command) := ["."] if startswith(command.text, "-")

_operands(command) := array.slice(command.words, 0, first) if {
	not startswith(command.text, "-")
	first := min(array.concat([count(command.words)], [at | some at, word in command.words; startswith(word, "-")]))
}

# The last word of mv is where things go, unless -t has said so.
_changed(command) := paths.of(command) if not _ends_in_target(command)

_changed(command) := paths.of(object.union(command, {
	"words": [word | some at, word in command.words; at < count(command.words) - 1],
	"known": array.slice(command.known, 0, count(command.known) - 1),
})) if {
	_ends_in_target(command)
}

_ends_in_target(command) if {
	command.name == "mv"
	not regex.match(`(?m)^(-[a-zA-Z]*t|--target)`, command.text)
}

_moves_tree(command) if command.name in {"mv", "tee", "truncate"}

_moves_tree(command) if _recursive(command)

# More rights for the owner's own files, or for readers, take nothing away.
_opens_up_own(command, path) if {
	path in data.sandgate.settings.all.workspaces
	command.name == "chmod"
	some word in command.words
	parts := split(word, ",")
	count([part | some part in parts; not regex.match(_harmless_mode, part)]) == 0
}

_opens_up_own(command, path) if {
	path in data.sandgate.settings.all.workspaces
	command.name in {"chown", "chgrp"}
	some word in command.words
	regex.match(`^(agent|1000)?:?(agent|1000)?$`, word)
}

# Nobody here can give files away: chown -R $(id -u):$(id -g) .
_opens_up_own(command, path) if {
	path in data.sandgate.settings.all.workspaces
	command.name in {"chown", "chgrp"}
	some at, why in command.dynamic
	why in {"cmdsub", "number", "param"}
	at < count(command.dynamic) - 1
}

_harmless_mode := `^([ug]*\+[rwxX]+|[ugoa]*\+[rxX]+|u=rwX|g?o?=rX|[go]+-w)$`

_archives_away(command) if {
	command.name == "tar"
	contains(command.text, "--remove-f")
}

_archives_away(command) if {
	command.name in {"7z", "7za", "7zr"}
	regex.match(`(?m)^-sdel$`, command.text)
}

_archives_away(command) if {
	command.name == "zip"
	regex.match(`(?m)^(-[A-Za-z]*m|--move$)`, command.text)
}

_under_system(path) if paths.is_root(path)

_under_system(path) if startswith(path, "/dev/")

_under_system(path) if startswith(path, "/etc/")
