package sandgate.rules.code.odd_name_test

import data.sandgate.testing

test_a_no_break_space_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.odd_name.findings)
		with input as testing.runs([["ls -la"]])
}

test_a_carriage_return_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.odd_name.findings)
		with input as testing.runs([["true\rrm", "-rf"]])
}

test_letters_digits_and_marks_is_let_pass if {
	count(data.sandgate.rules.code.odd_name.findings) == 0
		with input as testing.runs([["g++", "-o", "x"]])
}

test_the_test_command_is_let_pass if {
	count(data.sandgate.rules.code.odd_name.findings) == 0
		with input as testing.runs([["[", "-f", "x", "]"]])
}
