package sandgate.rules.code.arithmetic_test

import data.sandgate.testing

test_a_variable_that_holds_a_subscript_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.arithmetic.findings)
		with input as testing.asks({"commands": [{"argv": ["let", "x"]}], "script": {"latent_arithmetic": true}})
}

test_no_expression_is_let_pass if {
	count(data.sandgate.rules.code.arithmetic.findings) == 0
		with input as testing.runs([["echo", "1"]])
}
