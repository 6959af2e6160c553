# METADATA
# title: Forced pushes
# description: A forced push destroys what others have; it is denied however it is spelt (-f, --force, --mirror, +ref).
# custom:
#   held_by: words
package sandgate.rules.outward.force_push

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.git
	contains(command.text, "push")
	verbs := data.sandgate.facts.sub_command(command)
	verbs[0] == "push"
	some word in array.slice(verbs, 1, count(verbs))
	is_string(word)
	_forces(word)
	reason := sprintf("git push was to overwrite what others may have (%s).", [substring(word, 0, 60)])
	help := "Push without force; for a rebased branch, push it under a new name and say so."
}

_forces(word) if regex.match(`^(--forc?e?$|--mir|--pru|-[A-Za-z]*f|\+)`, word)

# Deletes the remote branch.
_forces(word) if regex.match(`^(--del|-[a-zA-Z]*d|:.)`, word)
