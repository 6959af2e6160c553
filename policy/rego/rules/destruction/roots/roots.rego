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
	some path in paths.of(command)
	paths.is_root(path)
	reason := sprintf("%s was to change all of %s.", [command.name, path])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.shredder
	some path in paths.of(command)
	_under_system(path)
	reason := sprintf("%s was to overwrite %s.", [command.name, path])
}

_recursive(command) if facts.has_short(command, "rR")

_recursive(command) if facts.has_long(command, "--recursive")

_finder_removes(command) if "-delete" in command.words

_finder_removes(command) if regex.match(`(?m)^-(exec|execdir|ok|okdir)\n([^\n]*/)?(rm|shred|unlink)$`, command.text)

_finds_root(command) if {
	some path in _starts(command)
	path in data.sandgate.paths.roots
	not path in data.sandgate.settings.all.workspaces
}

_finds_root(command) if {
	some path in _starts(command)
	path in data.sandgate.settings.all.workspaces
	not regex.match(_narrowing, command.text)
}

_starts(command) := {path | some path in paths.named(command.cwd, _operands(command))}

_operands(command) := ["."] if startswith(command.text, "-")

_operands(command) := array.slice(command.words, 0, first) if {
	not startswith(command.text, "-")
	first := min(array.concat([count(command.words)], [at | some at, word in command.words; startswith(word, "-")]))
}

_narrowing := concat("", [
	`(?m)^-(i?name|i?path|i?wholename|i?regex)\n[^\n]*[^*\n]|^-(newer|[acm]time|[acm]min|size|empty|perm|user|inum)`,
])

_moves_tree(command) if command.name == "mv"

_moves_tree(command) if {
	command.name != "mv"
	_recursive(command)
}

_under_system(path) if path in data.sandgate.paths.roots

_under_system(path) if startswith(path, "/dev/")

_under_system(path) if startswith(path, "/etc/")
