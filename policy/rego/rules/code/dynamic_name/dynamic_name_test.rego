package sandgate.rules.code.dynamic_name_test

import data.sandgate.testing

test_a_variable_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.dynamic_name.findings)
		with input as testing.asks({"commands": [{"argv": [null, "-rf", "/tmp/x"], "path_kind": "dynamic"}]})
}

test_a_glob_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.dynamic_name.findings)
		with input as testing.asks({
			"commands": [{"argv": [null, "/etc/passwd"], "path_kind": "dynamic", "dynamic": ["glob", ""]}],
		})
}

test_only_an_argument_varies_is_let_pass if {
	count(data.sandgate.rules.code.dynamic_name.findings) == 0
		with input as testing.runs([["cat", null]])
}

test_an_assignment_alone_is_let_pass if {
	count(data.sandgate.rules.code.dynamic_name.findings) == 0
		with input as testing.asks({"commands": [{"argv": [], "name": "", "assigns": [{"name": "x", "value": "1"}]}]})
}
