# METADATA
# title: Names that come to mean something else
# description: hash -p, enable -f, aliases and functions that take over a well-known name make what follows unreadable.
# custom:
#   held_by: words
package sandgate.rules.code.remapped

import data.sandgate.facts

_help := "Leave well-known names alone; give the function a name of its own."

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.shell_state
	_remaps(command)
	reason := sprintf("%s would make a name run another program.", [command.name])
}

findings contains {"effect": "ask", "reason": reason, "help": _help} if {
	some name in array.concat(input.script.functions, input.script.aliases)
	_well_known(name)
	reason := sprintf("The script gives the well-known name %s another meaning.", [substring(name, 0, 60)])
}

_remaps(command) if {
	command.name == "hash"
	facts.has_short(command, "p")
}

_remaps(command) if {
	command.name == "enable"
	facts.has_short(command, "fn")
}

_well_known(name) if {
	some tag in object.get(data.sandgate.settings.tags, name, [])
	tag != "publisher"
}

_well_known(name) if name in {
	"ls", "cat", "cd", "echo", "printf", "test", "[", "true", "false", ":", "pwd", "cp", "mkdir", "touch", "head", "tail",
	"grep", "exit", "return", "exec", "eval", "command", "builtin", "set", "unset", "read", "trap", "kill", "tee", "xargs",
	"make", "pytest", "pip", "npm",
}
