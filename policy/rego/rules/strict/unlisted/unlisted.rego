# METADATA
# title: Only listed commands
# description: Under the strict profile only what the operator's allow list or a short list of readers names may run.
# custom:
#   held_by: kernel
package sandgate.rules.strict.unlisted

import data.sandgate.facts

# Beside what changes something: a repository of its own may name programs that git status runs.
_git_runs := `(?m)^(-c|--(con|git-dir|work-t|exec-p|out|ext(-|$)|textc|fil))`

_git_branch_changes := `(?m)^(-[A-Za-z]*[dDmMcCfut]|--(del|mov|cop|for|set-up|uns|tra|edit|cre))`

_git_readers := {
	"status", "log", "show", "diff", "branch", "blame", "rev-parse", "ls-files", "describe", "shortlog", "cat-file",
	"check-ignore", "diff-tree", "for-each-ref", "grep", "ls-tree", "merge-base", "name-rev", "rev-list", "show-ref",
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	data.sandgate.settings.all.profile == "strict"
	some index, command in input.commands
	not _listed(index, command)
	reason := sprintf("%s is not on the list of commands that may run here.", [_shown(index, command)])
}

_help := concat("", [
	"Listed is what only reads: cat, ls, head, sed without -i, grep, rg, find without -exec and -delete, sort, wc, diff, ",
	"jq, git status, log, diff, show. Files are changed with file_edit and file_write; the operator can list others.",
])

# With what makes it another thing than the listed one: its sub-command, or the fact that there are options.
_shown(index, command) := sprintf("git %s%s", [verb, _with_options(verb)]) if {
	command.name == "git"
	given := facts.verbs(facts.described(index, command))[0]
	is_string(given)
	verb := substring(given, 0, 40)
}

_shown(_, command) := facts.label(command) if not command.name in _with_conditions

_shown(_, command) := sprintf("%s with these options", [command.name]) if command.name in (_with_conditions - {"git"})

_shown(index, command) := "git without a sub-command that is known" if {
	command.name == "git"
	[verb | some place, verb in facts.verbs(facts.described(index, command)); place == 0; is_string(verb)] == []
}

_with_options(verb) := " with these options" if verb in _git_readers

_with_options(verb) := "" if not verb in _git_readers

_with_conditions := {"find", "git", "rg", "sed", "sort"}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	data.sandgate.settings.all.profile == "strict"
	some code in input.script.inline_code
	not code.interpreter in {"eval", "trap", "sh", "bash"}
	reason := sprintf("Program text for %s is not run here.", [substring(code.interpreter, 0, 60)])
	help := "Use listed commands such as grep, cut, sort, jq and sed -n; file_search looks through files."
}

_listed(index, _) if index in data.sandgate.operator.granted_commands

_listed(_, command) if {
	command.name in data.sandgate.settings.readers
	command.path_kind in {"bare", "system"}
	not command.name in _with_conditions
}

_listed(_, command) if {
	command.name in {"rg", "sort"}
	command.path_kind in {"bare", "system"}
	_is_told(command)
}

# Its w and e are known to the rules about programs; -f hides them.
_listed(_, command) if {
	command.name == "sed"
	command.path_kind in {"bare", "system"}
	not regex.match(`(?m)^(-[A-Za-z]*[if]|--(in-|fil))`, _text(command))
	_is_told(command)
}

# No option of it is only known when it runs, and it could be one that starts a program.
_is_told(command) if {
	count([1 |
		some at, word in command.argv
		is_null(word)
		regex.match(`^(-|$)`, command.known[at])
	]) == 0
}

_listed(_, command) if {
	command.name == "find"
	command.path_kind in {"bare", "system"}
	not regex.match(`(?m)^-(delete|exec|execdir|ok|okdir|fprint|fprint0|fprintf|fls)$`, _text(command))
	_is_told(command)
}

_listed(index, command) if {
	command.name == "git"
	command.path_kind in {"bare", "system"}
	facts.verbs(facts.described(index, command))[0] in _git_readers
	not regex.match(_git_runs, _text(command))
	not _changes_branches(index, command)
	_is_told(command)
}

_changes_branches(index, command) if {
	facts.verbs(facts.described(index, command))[0] == "branch"
	regex.match(_git_branch_changes, _text(command))
}

# An assignment or a redirection alone runs nothing.
_listed(_, command) if command.argv == []

# A function that the script defines: its body is judged command by command.
_listed(_, command) if {
	command.path_kind == "bare"
	command.name in input.script.functions
}

_text(command) := concat("\n", [word | some word in command.argv; is_string(word)])
