package sandgate.rules.code.piped_test

import data.sandgate.testing

test_curl_into_a_shell_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.piped.findings)
		with input as testing.asks({"commands": [{"argv": ["bash"]}], "script": {"pipe_to_shell": ["bash"]}})
}

test_a_pipe_into_a_filter_is_let_pass if {
	count(data.sandgate.rules.code.piped.findings) == 0
		with input as testing.runs([["ls"], ["head"]])
}
