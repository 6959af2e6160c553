# METADATA
# title: Work that git keeps nowhere else
# description: |
#   Files that git ignores, stashes, the reflog and rewritten history cannot be brought back once they are gone, so a
#   person is asked.
# custom:
#   held_by: words
package sandgate.rules.destruction.history

_acts := concat("", [
	`^(filter-branch|filter-repo)(\n|$)|^reflog\n(expire|delete)|^stash\nclear|^update-ref\n(.*\n)*(-d|--delete)`,
	`|^gc\n(.*\n)*--prune(=now|=all)?(\n|$)|^prune(\n|$)|^replace\n|^worktree\nremove\n(.*\n)*(-f|--force)`,
])

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.git
	words := [word | some word in data.sandgate.facts.sub_command(command); word != null]
	words[0] in _verbs
	_destroys(array.concat(words, [pattern | some at, pattern in command.known; command.dynamic[at] == "glob"]))
	reason := sprintf("git %s removes what git keeps nowhere else.", [words[0]])
	help := "`git clean -fd` spares ignored files, `git stash drop` takes one stash; commit first what may be wanted."
}

_verbs := {
	"clean", "filter-branch", "filter-repo", "gc", "prune", "reflog", "replace", "rm", "stash", "update-ref", "worktree",
}

_destroys(words) if {
	text := concat("\n", words)
	regex.match(_acts, text)
	not _throws_away(text)
}

# A second checkout in /tmp was made to be thrown away.
_throws_away(text) if {
	not contains(text, "..")
	regex.match(`^worktree\nremove\n((-f|--force)\n)?/tmp/[^\n]*[^/\n.][^\n]*(\n(-f|--force))?$`, text)
}

# What was changed since the last commit goes with the files.
_destroys(words) if {
	words[0] == "rm"
	regex.match(`(?m)^-[a-z]*r`, concat("\n", words))
	some word in words
	_is_all(word)
	not "--cached" in words
}

_is_all(word) if word in {".", "./", "*", ":/", "./*"}

_is_all(word) if trim_suffix(word, "/") in data.sandgate.settings.all.workspaces

_destroys(words) if {
	words[0] == "clean"
	some word in words
	regex.match(`^-[a-zA-Z]*[xX]`, word)
	not _only_shows(words)
}

_only_shows(words) if {
	some word in words
	regex.match(`^(-[a-zA-Z]*n|--dry-run$)`, word)
}
