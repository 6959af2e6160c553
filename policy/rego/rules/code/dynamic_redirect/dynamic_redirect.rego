# METADATA
# title: Output to a place that is not yet known
# description: A redirection into a path that is only known at run time could overwrite anything the session may write.
# custom:
#   held_by: words
package sandgate.rules.code.dynamic_redirect

findings contains {"effect": "ask", "reason": reason, "help": help} if {
	some redirect in data.sandgate.facts.redirects
	redirect.dynamic
	regex.match(`^(>|>>|>\||<>|&>|&>>)$`, redirect.op)
	reason := "Output would be written to a path that is only known when it runs."
	help := "Write the path out, such as > /tmp/run.log."
}
