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
	facts.recursive(command)
	some at, why in command.dynamic
	not why in {"", "glob"}
	not _within_a_folder(command, at)
	not _listed(why)
	reason := sprintf("%s -r would remove a path that is only known when it runs.", [command.name])
	help := "Write the path out, such as `rm -rf build`, or remove files without -r."
}

# All that is in a folder which is only known when it runs: cd "$x" with nothing in x stays where it is.
findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.remover
	facts.recursive(command)
	null in array.concat([command.cwd], command.other_cwds)
	some word in array.concat(command.words, command.known)
	regex.match(`^(\./)?(\.|\*|\.\[!\.\]\*|\.\*|\.\?\?\*)$`, word)
	reason := sprintf("%s -r would empty a folder that is only known when it runs.", [command.name])
	help := "Write the folder out, such as `rm -rf build`, and check it before with `cd build || exit 1`."
}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.shredder
	reason := sprintf("%s destroys data for good.", [command.name])
	help := "Use rm for files that are no longer needed."
}

findings contains {"effect": "ask", "reason": reason, "help": _listed_help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.remover
	some wrapper in ["xargs", "fd "]
	facts.runs_by(command, wrapper)
	"input" in command.dynamic
	not _listed("input")
	not _searched
	reason := sprintf("%s would remove whatever a list names, and nothing says what is on it.", [command.name])
}

# find . | while read f; do rm "$f"; done, and for f in $(find .).
findings contains {"effect": "ask", "reason": reason, "help": _listed_help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.remover
	some at, why in command.dynamic
	why == "param"
	command.known[at] == ""
	some finder in object.get(data.sandgate.facts.tagged, "finder", [])
	not paths.finds_narrowly(finder)
	_is_taken_in(finder)
	reason := sprintf("%s may remove all that find lists, and nothing says what it should look for.", [command.name])
}

_listed_help := "Name the files, or say which with find -name, such as `find . -name '*.orig' -delete`."

_is_taken_in(finder) if count({"$()", "<()"} & {via | some via in finder.via}) > 0

_is_taken_in(_) if {
	some command in input.commands
	command.name in {"read", "mapfile", "readarray"}
}

# What find was told to look for by name, where it was not told to start from a whole tree of the system.
_listed("input") if {
	finders := object.get(data.sandgate.facts.tagged, "finder", [])
	count(finders) > 0
	count([1 | some finder in finders; not paths.finds_narrowly(finder)]) == 0
}

# For something that is in a name, or in a file: not for all there is.
_searched if {
	some command in input.commands
	command.name in {"grep", "egrep", "fgrep", "rg", "ag", "fd", "fdfind"}
	words := concat("\n", [word | some at, word in command.argv; at > 0; is_string(word)])
	regex.match(`(?m)^[^-\n]*[A-Za-z0-9]{2}|^(-e|--extension)\n`, regex.replace(words, _what_fd_runs, ""))
}

_what_fd_runs := `(?s)(^|\n)(-x|-X|--exec|--exec-batch)\n.*`

# ls -t *.log | tail -n +6
_searched if {
	some command in input.commands
	command.name == "ls"
	patterns := [command.known[at] | some at, why in command.dynamic; why == "glob"]
	count(patterns) > 0
	count([1 | some pattern in patterns; not regex.match(`[A-Za-z0-9]{2}`, pattern)]) == 0
	count([1 | some word in command.argv; is_string(word); not regex.match(`^(ls|-[A-Za-z1]+|--)$`, word)]) == 0
}

# What is known of the path leads beneath a folder that is not a whole tree: build/$name, /tmp/run.$$.
_within_a_folder(command, at) if {
	contains(command.known[at], "/")
	folder := regex.replace(command.known[at], `/[^/]*$`, "")
	some path in paths.named(command.cwd, [folder])
	not paths.is_root(path)
	folder != ""
}
