# METADATA
# title: Programs run on what is found
# description: |
#   find -exec, xargs and parallel append words that are only known at run time. Plain tools take them as file names; an
#   interpreter takes them as programs.
# custom:
#   held_by: words
package sandgate.rules.code.placeholder

import data.sandgate.facts

_help := "Name the files, or loop with `for f in *.py; do ...; done`, which shows what runs."

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.interpreter
	some wrapper in ["find", "xargs", "fd", "parallel"]
	facts.runs_by(command, wrapper)
	not facts.has_short(command, "cem")
	not _only_checks(command)
	regex.match(`^((-[drIWX]|--(require|import|loader))\n[^\n]*(\n|$)|[-+][^\n]*(\n|$))*$`, command.text)
	reason := sprintf("%s would run each file that %s finds as a program.", [command.name, wrapper])
}

# One option that makes it look at the syntax only, and files behind it.
_only_checks(command) if {
	command.words == _checks[command.name]
	command.argv[1] == command.words[0]
}

_checks := {
	"bash": ["-n"], "sh": ["-n"], "dash": ["-n"], "zsh": ["-n"],
	"node": ["--check"],
	"php": ["-l"],
}

