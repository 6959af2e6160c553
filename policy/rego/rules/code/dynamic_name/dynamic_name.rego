# METADATA
# title: Commands without a name
# description: A command whose name is only known at run time (a variable, a glob, a substitution) could be any command.
# custom:
#   held_by: words
package sandgate.rules.code.dynamic_name

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in input.commands
	is_null(command.name)
	reason := sprintf("The name of a command is only known when it runs%s.", [_why(command)])
	help := "Write the name out; arguments may stay variable, and `for t in build/test_*; do \"$t\"; done` is fine."
}

_why(command) := sprintf(" (%s)", [command.dynamic[0]]) if {
	count(command.dynamic) > 0
	command.dynamic[0] != ""
}

_why(command) := "" if not command.dynamic[0]

_why(command) := "" if command.dynamic[0] == ""
