# METADATA
# title: Code that is made while it runs
# description: eval, sh -c, trap and their like with text that is only known at run time could do anything.
# custom:
#   held_by: words
package sandgate.rules.code.dynamic_text

_shells := {"sh", "bash", "dash", "zsh", "ksh", "eval", "trap", "source", "."}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some code in input.script.inline_code
	is_null(code.code)
	code.interpreter in _shells
	not _all_filled_in
	reason := sprintf("%s would run text that is only known when it runs.", [substring(code.interpreter, 0, 60)])
	help := "Write the commands out, or write them to a script file and run that by its path."
}

# A placeholder in a text that is otherwise written out: what fills it in could end the command and start another.
findings contains {"effect": "ask", "reason": reason, "help": help} if {
	_all_filled_in
	reason := "A shell would run text with names in it that are only known when it runs."
	help := "Hand the names over as arguments: xargs -I{} sh -c 'echo \"$1\"' _ {}"
}

_all_filled_in if {
	unknown := count([1 | some code in input.script.inline_code; is_null(code.code); code.interpreter in _shells])
	unknown > 0
	unknown == count([1 |
		some command in input.commands
		command.name in _shells
		regex.match(`^(xargs|find)`, concat("", command.via))
		some at, word in command.argv
		is_null(word)
		command.argv[at - 1] == "-c"
		command.dynamic[at] == "input"
	])
}

findings contains {"effect": "ask", "reason": reason, "help": help} if {
	some code in input.script.inline_code
	is_null(code.code)
	not code.interpreter in _shells
	reason := sprintf("%s would run a program that is only known when it runs.", [substring(code.interpreter, 0, 60)])
	help := _as_data(code.interpreter)
}

# How the program takes a value without running what is in it.
_as_data(interpreter) := _hands_over[interpreter]

_as_data(interpreter) := _hands_over.python if regex.match(`^python[0-9.]+$`, interpreter)

_as_data(interpreter) := "Write the program into a file with file_write and run that by its path." if {
	not _hands_over[interpreter]
	not regex.match(`^python[0-9.]+$`, interpreter)
}

_hands_over := {
	"python": "Hand the value over as an argument: python3 -c 'import sys; x = sys.argv[1]; ...' \"$x\"",
	"node": "Hand the value over as an argument: node -e 'console.log(process.argv[1])' \"$x\"",
	"perl": "Hand the value over in a variable: x=\"$x\" perl -pe 's/a/$ENV{x}/'",
	"sed": "Write the value out, or let python3 take it as an argument (sys.argv[1]); sed may run what is in it.",
	"parallel": "Write the command out, without quotes in it: parallel -j4 gzip -k {} ::: *.log",
	"awk": "Hand the value over with an option: awk -v n=\"$n\" 'NR == n'",
}
