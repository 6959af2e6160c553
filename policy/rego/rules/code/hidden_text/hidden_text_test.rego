package sandgate.rules.code.hidden_text_test

import data.sandgate.testing

test_a_direction_mark_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.hidden_text.findings)
		with input as testing.asks({"commands": [{"argv": ["ls"]}], "script": {"control_chars": true}})
}

test_plain_text_is_let_pass if {
	count(data.sandgate.rules.code.hidden_text.findings) == 0
		with input as testing.runs([["ls"]])
}
