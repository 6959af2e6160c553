# METADATA
# title: What the operator decided beforehand
# description: |
#   Operators write data, not Rego: lists of commands by name and sub-command, and of paths by glob. The loader keys the
#   commands by program name, so that a long list costs no more than a short one.
package sandgate.operator

import data.sandgate.facts

# METADATA
# description: The operator's entries that match a command, with the command.
matches := [{"effect": entry.effect, "command": command, "entry": entry} |
	some index, given in input.commands
	is_string(given.name)
	entries := object.get(data.sandgate.settings.all.commands, given.name, [])
	count(entries) > 0
	command := facts.described(index, given)
	verbs := facts.verbs(command)
	some entry in entries
	_concerns(entry)
	_matches(entry, verbs)
]

# METADATA
# description: The commands that the operator allows in so many words.
granted_commands contains match.command.index if {
	some match in matches
	match.effect == "allow"
	_is_of_that_name(match.command)
}

# A bare name is found on the search path; what lies where any command may write can be anything by that name.
_is_of_that_name(command) if command.path_kind in {"bare", "system"}

_is_of_that_name(command) if {
	command.path_kind == "outside"
	path := command.argv[0]
	is_string(path)
	startswith(path, "/")
	not regex.match(`^/(tmp|var/tmp|dev)/|/\.\.(/|$)`, path)
	not _is_at_home(path)
}

_is_at_home(path) if {
	home := data.sandgate.settings.all.home
	startswith(path, home)
	tools := concat("", ["^/(", data.sandgate.settings.tool_folders, ")/[^/]+$"])
	not regex.match(tools, trim_prefix(path, home))
}

# METADATA
# description: The programs of which the operator allows at least something.
granted_names contains name if {
	some name, entries in data.sandgate.settings.all.commands
	some entry in entries
	entry.effect == "allow"
	_concerns(entry)
}

# METADATA
# description: The operator's path rules that a path of this question falls under, with the path.
path_matches := [{"rule": rule, "path": path.resolved} |
	some path in input.paths
	some rule in data.sandgate.settings.all.paths
	startswith(path.resolved, rule.prefix)
	path.op in rule.ops
	glob.match(rule.glob, ["/"], path.resolved)
	_concerns(rule)
]

# METADATA
# description: The paths that the operator allows in so many words.
granted_paths contains match.path if {
	some match in path_matches
	match.rule.effect == "allow"
}

# An allow must be certain; a deny or a question also catches what is only known at run time.
_matches(entry, verbs) if {
	array.slice(verbs, 0, count(entry.words)) == entry.words
}

_matches(entry, verbs) if {
	entry.effect != "allow"
	count(verbs) >= 1
	every place, word in entry.words {
		_could_be(verbs, place, word)
	}
}

_could_be(verbs, place, word) if verbs[place] == word

_could_be(verbs, place, _) if is_null(verbs[place])

_concerns(entry) if {
	_one_of(object.get(entry, "role", ""), input.caller.roles)
	_one_of(object.get(entry, "environment", ""), [input.session.environment])
}

_one_of(wanted, _) if wanted == ""

_one_of(wanted, given) if wanted in given
