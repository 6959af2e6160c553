package sandgate.rules.destruction.unknown_target_test

import data.sandgate.testing

test_an_empty_variable_is_enough_is_found if {
	"ask" in testing.effects(data.sandgate.rules.destruction.unknown_target.findings)
		with input as testing.runs([["rm", "-rf", null]])
}

test_what_xargs_found_is_found if {
	"ask" in testing.effects(data.sandgate.rules.destruction.unknown_target.findings)
		with input as testing.asks({
			"commands": [{"argv": ["rm", "-rf", null], "dynamic": ["", "", "input"], "via": ["xargs"]}],
		})
}

test_the_history_is_found if {
	"ask" in testing.effects(data.sandgate.rules.destruction.unknown_target.findings)
		with input as testing.runs([["rm", "-rf", ".git"]])
}

test_no_recursion_is_let_pass if {
	count(data.sandgate.rules.destruction.unknown_target.findings) == 0
		with input as testing.runs([["rm", "-f", null]])
}

test_beneath_a_known_folder_is_let_pass if {
	count(data.sandgate.rules.destruction.unknown_target.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["rm", "-rf", null], "known": ["", "", "/tmp/run."]}]})
}
