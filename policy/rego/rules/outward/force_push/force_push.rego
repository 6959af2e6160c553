# METADATA
# title: Forced pushes
# description: A forced push destroys what others have; it is denied however it is spelt (-f, --force, --mirror, +ref).
# custom:
#   held_by: words
package sandgate.rules.outward.force_push

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.git
	regex.match(`push|send-pack`, command.text)
	verbs := data.sandgate.facts.sub_command(command)
	_pushes(verbs)
	some word in array.slice(verbs, 1, count(verbs))
	is_string(word)
	_forces(word)
	reason := sprintf("git push was to overwrite what others may have (%s).", [substring(word, 0, 60)])
	help := "Push without force; for a rebased branch, push it under a new name and say so."
}

# A remote that is told to force makes every push a forced one.
findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.git
	regex.match(`(?im)^remote\.[^\n]*\.(mirror(=true|\ntrue)|push[=\n]\+)`, command.text)
	reason := "git was told to force every push to a remote from now on."
	help := "Push without force; for a rebased branch, push it under a new name and say so."
}

# An option that has an unknown end is taken for what it begins with: --force$x.
findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.git
	contains(command.text, "push")
	_pushes(data.sandgate.facts.sub_command(command))
	some at, word in command.argv
	is_null(word)
	regex.match(`^(--force|--mirror|-[A-Za-z0-9]*f$|\+)`, command.known[at])
	reason := sprintf("git push was to overwrite what others may have (%s...).", [command.known[at]])
	help := "Push without force; for a rebased branch, push it under a new name and say so."
}

_pushes(verbs) if verbs[0] in {"push", "send-pack", "http-push"}

_pushes(verbs) if {
	verbs[0] in {"subtree", "lfs"}
	verbs[1] == "push"
}

_forces(word) if regex.match(`^(--forc?e?$|--mir|--pru|-[A-Za-z0-9]*f|\+)`, word)

# Deletes the remote branch.
_forces(word) if regex.match(`^(--del|-[a-zA-Z]*d|:.)`, word)
