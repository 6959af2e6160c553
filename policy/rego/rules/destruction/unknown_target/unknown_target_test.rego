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

test_what_a_list_names_is_found if {
	"ask" in testing.effects(data.sandgate.rules.destruction.unknown_target.findings)
		with input as testing.asks({"commands": [
			{"argv": ["ls"]},
			{"argv": ["rm", null], "dynamic": ["", "input"], "via": ["xargs"]},
		]})
}

test_what_find_was_told_to_look_for_is_let_pass if {
	count(data.sandgate.rules.destruction.unknown_target.findings) == 0
		with input as testing.asks({"commands": [
			{"argv": ["find", ".", "-name", "__pycache__", "-exec", "rm", "-rf", "{}", "+"]},
			{"argv": ["rm", "-rf", null], "dynamic": ["", "", "input"], "via": ["find -exec"]},
		]})
}

test_no_recursion_is_let_pass if {
	count(data.sandgate.rules.destruction.unknown_target.findings) == 0
		with input as testing.runs([["rm", "-f", null]])
}

test_beneath_a_known_folder_is_let_pass if {
	count(data.sandgate.rules.destruction.unknown_target.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["rm", "-rf", null], "known": ["", "", "/tmp/run."]}]})
}

test_all_in_a_folder_that_is_not_known_is_found if {
	"ask" in testing.effects(data.sandgate.rules.destruction.unknown_target.findings)
		with input as testing.asks({"commands": [{"argv": ["rm", "-rf", "."], "cwd": null}]})
}

test_what_a_loop_takes_from_find_is_found if {
	"ask" in testing.effects(data.sandgate.rules.destruction.unknown_target.findings)
		with input as testing.asks({"commands": [
			{"argv": ["find", "."], "via": ["$()"]},
			{"argv": ["rm", null]},
		]})
}

test_what_a_loop_takes_from_find_by_name_is_let_pass if {
	count(data.sandgate.rules.destruction.unknown_target.findings) == 0
		with input as testing.asks({"commands": [
			{"argv": ["find", ".", "-name", "*.orig"], "via": ["$()"]},
			{"argv": ["rm", null]},
		]})
}

test_a_list_of_what_was_searched_for_is_let_pass if {
	count(data.sandgate.rules.destruction.unknown_target.findings) == 0
		with input as testing.asks({"commands": [
			{"argv": ["grep", "-rl", "OBSOLETE", "src"]},
			{"argv": ["rm", null], "dynamic": ["", "input"], "via": ["xargs"]},
		]})
}
