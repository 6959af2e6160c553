package sandgate.rules.code.placeholder_test

import data.sandgate.testing

test_an_interpreter_on_each_file_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.placeholder.findings)
		with input as testing.asks({
			"commands": [{"argv": ["python3", null], "dynamic": ["", "input"], "via": ["find -execdir"]}],
		})
}

test_an_interpreter_on_each_word_of_parallel_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.placeholder.findings)
		with input as testing.asks({
			"commands": [{"argv": ["python3", null], "dynamic": ["", "param"], "via": ["parallel"]}],
		})
}

test_a_plain_tool_on_each_file_is_let_pass if {
	count(data.sandgate.rules.code.placeholder.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["wc", "-l", null], "via": ["xargs"], "dynamic": ["", "", "input"]}]})
}

test_one_known_script_on_each_file_is_let_pass if {
	count(data.sandgate.rules.code.placeholder.findings) == 0
		with input as testing.asks({
			"commands": [
				{
					"argv": ["python3", "check.py", null],
					"via": ["find -exec"],
					"dynamic": ["", "", "input"],
				},
			],
		})
}
