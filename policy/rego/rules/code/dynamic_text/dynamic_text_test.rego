package sandgate.rules.code.dynamic_text_test

import data.sandgate.testing

test_eval_of_a_variable_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.dynamic_text.findings)
		with input as testing.asks({
			"commands": [{"argv": ["eval", null]}],
			"script": {"inline_code": [{"interpreter": "eval", "code": null}]},
		})
}

test_a_program_for_python_that_is_not_known_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.dynamic_text.findings)
		with input as testing.asks({
			"commands": [{"argv": ["python3", "-c", null]}],
			"script": {"inline_code": [{"interpreter": "python3", "code": null}]},
		})
}

test_a_program_that_is_written_out_is_let_pass if {
	count(data.sandgate.rules.code.dynamic_text.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["python3", "-c", "print(1)"]}],
			"script": {"inline_code": [{"interpreter": "python3", "code": "print(1)"}]},
		})
}
