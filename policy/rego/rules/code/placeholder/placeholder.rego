# METADATA
# title: Programs run on what is found
# description: |
#   find -exec, xargs and parallel append words that are only known at run time. Plain tools take them as file names; an
#   interpreter takes them as programs, and parallel builds whole command lines.
# custom:
#   held_by: words
package sandgate.rules.code.placeholder

import data.sandgate.facts

_help := "Name the files, or loop with `for f in *.py; do ...; done`, which shows what runs."

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.interpreter
	some wrapper in ["find", "xargs", "fd"]
	facts.runs_by(command, wrapper)
	not facts.has_short(command, "cem")
	regex.match(`^(-[^\n]*(\n|$))*$`, command.text)
	reason := sprintf("%s would run each file that %s finds as a program.", [command.name, wrapper])
}

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": index} if {
	some index, command in input.commands
	count(command.via) > 0
	facts.runs_by(command, "parallel")
	reason := sprintf("parallel builds command lines around %s while it runs.", [facts.label(command)])
}

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": index} if {
	some index, command in input.commands
	command.name == "parallel"
	reason := "parallel builds command lines that are only known when they run."
}
