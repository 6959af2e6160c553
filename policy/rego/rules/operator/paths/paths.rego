# METADATA
# title: The operator's paths
# description: |
#   Paths that the operator's globs deny, or want a person to answer for. They bind the file tools and the words of
#   parsed commands; what a script opens by itself is bound by the kernel's ruleset alone.
# custom:
#   held_by: words
package sandgate.rules.operator.paths

findings contains {"effect": rule.effect, "reason": reason, "help": help} if {
	some match in data.sandgate.operator.path_matches
	rule := match.rule
	rule.effect in {"ask", "deny"}
	reason := sprintf("The operator's rule for %s says %s.", [rule.glob, rule.effect])
	help := "Use another path, or ask the operator to change the list."
}
