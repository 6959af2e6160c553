package sandgate.rules.privilege.setuid_test

import data.sandgate.testing

test_u_s_on_a_file_is_found if {
	"deny" in testing.effects(data.sandgate.rules.privilege.setuid.findings)
		with input as testing.runs([["chmod", "u+s", "tool"]])
}

test_an_octal_mode_with_the_setuid_bit_is_found if {
	"deny" in testing.effects(data.sandgate.rules.privilege.setuid.findings)
		with input as testing.runs([["chmod", "4755", "tool"]])
}

test_an_ordinary_mode_is_let_pass if {
	count(data.sandgate.rules.privilege.setuid.findings) == 0
		with input as testing.runs([["chmod", "755", "run.sh"]])
}

test_x_for_all_is_let_pass if {
	count(data.sandgate.rules.privilege.setuid.findings) == 0
		with input as testing.runs([["chmod", "+x", "run.sh"]])
}

test_four_digits_without_those_bits_is_let_pass if {
	count(data.sandgate.rules.privilege.setuid.findings) == 0
		with input as testing.runs([["chmod", "0644", "a.txt"]])
}
