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
	not _is_result(redirect)
	reason := "Output would be written to a path that is only known when it runs."
	help := "Write the path out, or let it end as results do, such as > \"out/$name.log\" or > \"$dir/run.txt\"."
}

# Its pattern is known, and nobody runs or obeys such a file; where the operator guards paths, it could be one of those.
_is_result(redirect) if {
	is_string(redirect.path)
	count([1 | some rule in data.sandgate.settings.all.paths; rule.effect != "allow"; "write" in rule.ops]) == 0
}
