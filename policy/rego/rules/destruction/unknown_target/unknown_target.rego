# METADATA
# title: Removal of what is not yet known
# description: |
#   A recursive removal of a path that is only known at run time could be that of everything: an empty variable is
#   enough. Removing a repository's history is asked about too.
# custom:
#   held_by: words
package sandgate.rules.destruction.unknown_target

import data.sandgate.facts
import data.sandgate.paths

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.remover
	_recursive(command)
	some at, why in command.dynamic
	not why in {"", "glob"}
	not _within_a_folder(command, at)
	reason := sprintf("%s -r would remove a path that is only known when it runs.", [command.name])
	help := "Write the path out, such as `rm -rf build`, or remove files without -r."
}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.remover
	_recursive(command)
	some path in paths.of(command)
	endswith(path, "/.git")
	reason := sprintf("%s -r would remove %s, with all history in it.", [command.name, path])
	help := "Keep .git; `git clean -fd` and `git checkout .` undo changes."
}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.shredder
	reason := sprintf("%s destroys data for good.", [command.name])
	help := "Use rm for files that are no longer needed."
}

_recursive(command) if facts.has_short(command, "rR")

_recursive(command) if facts.has_long(command, "--recursive")

# What is known of the path leads beneath a folder that is not a whole tree: build/$name, /tmp/run.$$.
_within_a_folder(command, at) if {
	contains(command.known[at], "/")
	folder := regex.replace(command.known[at], `/[^/]*$`, "")
	some path in paths.named(command.cwd, [folder])
	not paths.is_root(path)
	folder != ""
}
