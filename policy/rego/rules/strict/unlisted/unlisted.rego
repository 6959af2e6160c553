# METADATA
# title: Only listed commands
# description: Under the strict profile only what the operator's allow list or a short list of readers names may run.
# custom:
#   held_by: kernel
package sandgate.rules.strict.unlisted

import data.sandgate.facts

_git_readers := {"status", "log", "show", "diff", "branch", "blame", "rev-parse", "ls-files", "describe", "shortlog"}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	data.sandgate.settings.all.profile == "strict"
	some index, command in input.commands
	not _listed(index, command)
	reason := sprintf("%s is not on the list of commands that may run here.", [facts.label(command)])
	help := "Use listed commands such as ls, cat, grep and git log; the operator can add others to the allow list."
}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	data.sandgate.settings.all.profile == "strict"
	some code in input.script.inline_code
	not code.interpreter in {"eval", "trap", "sh", "bash"}
	reason := sprintf("Program text for %s is not run here.", [substring(code.interpreter, 0, 60)])
	help := "Use listed commands such as ls, cat, grep and git log."
}

_listed(index, _) if index in data.sandgate.operator.granted_commands

_listed(_, command) if {
	command.name in data.sandgate.settings.readers
	command.path_kind in {"bare", "system"}
}

_listed(_, command) if {
	command.name == "find"
	command.path_kind in {"bare", "system"}
	not regex.match(`(?m)^-(delete|exec|execdir|ok|okdir|fprint|fprint0|fprintf|fls)$`, _text(command))
}

_listed(index, command) if {
	command.name == "git"
	command.path_kind in {"bare", "system"}
	facts.verbs(facts.described(index, command))[0] in _git_readers
	not regex.match(`(?m)^(-c|--output|-[A-Za-z]*[dDmM]|--ext-diff|--textconv)`, _text(command))
}

# An assignment or a redirection alone runs nothing.
_listed(_, command) if command.argv == []

# A function that the script defines: its body is judged command by command.
_listed(_, command) if {
	command.path_kind == "bare"
	command.name in input.script.functions
}

_text(command) := concat("\n", [word | some word in command.argv; is_string(word)])
