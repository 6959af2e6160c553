package sandgate.rules.code.unreadable_test

import data.sandgate.testing

test_a_parse_error_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.unreadable.findings)
		with input as testing.asks({"script": {"parse_error": "1:6: a command can only contain words"}})
}

test_all_was_read_is_let_pass if {
	count(data.sandgate.rules.code.unreadable.findings) == 0
		with input as testing.runs([["ls"]])
}

test_an_alias_that_is_used_is_found_and_said_apart if {
	some finding in data.sandgate.rules.code.unreadable.findings with input as testing.asks({"script": object.union(
		data.sandgate.shape.untold,
		{"parse_error": "the alias t is used, so what follows it is not read as bash reads it"},
	)})
	finding.effect == "deny"
	contains(finding.help, "function")
}
