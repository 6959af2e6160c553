# METADATA
# title: Removal of what is not yet known
# description: |
#   A recursive removal of a path that is only known at run time could be that of everything: an empty variable is
#   enough.
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
	not _listed(why)
	reason := sprintf("%s -r would remove a path that is only known when it runs.", [command.name])
	help := "Write the path out, such as `rm -rf build`, or remove files without -r."
}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.shredder
	reason := sprintf("%s destroys data for good.", [command.name])
	help := "Use rm for files that are no longer needed."
}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.remover
	facts.runs_by(command, "xargs")
	"input" in command.dynamic
	not _listed("input")
	not _searched
	reason := sprintf("%s would remove whatever a list names, and nothing says what is on it.", [command.name])
	help := "Name the files, or say which with find -name, such as `find . -name '*.orig' -delete`."
}

# What find was told to look for by name, where it was not told to start from a whole tree of the system.
_listed("input") if {
	finders := object.get(data.sandgate.facts.tagged, "finder", [])
	count(finders) > 0
	count([1 | some finder in finders; not paths.finds_narrowly(finder)]) == 0
}

_searched if {
	some command in input.commands
	command.name in {"grep", "egrep", "fgrep", "rg", "ag", "fd"}
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
