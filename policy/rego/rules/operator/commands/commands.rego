# METADATA
# title: The operator's commands
# description: Commands that the operator's lists deny, or want a person to answer for.
# custom:
#   held_by: words
package sandgate.rules.operator.commands

findings contains {"effect": match.effect, "reason": reason, "help": help} if {
	some match in data.sandgate.operator.matches
	match.effect in {"ask", "deny"}
	shown := concat(" ", array.concat([match.command.name], match.entry.words))
	reason := sprintf("The operator's list says %s for `%s`.", [match.effect, substring(shown, 0, 120)])
	help := "Do without this command, or ask the operator to change the list."
}
