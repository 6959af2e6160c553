package sandgate.rules.code.lookalike_test

import data.sandgate.testing

test_rm_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.lookalike.findings)
		with input as testing.asks({"commands": [{"argv": ["./rm", "-rf", "x"], "path_kind": "workspace"}]})
}

test_bin_ls_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.lookalike.findings)
		with input as testing.asks({"commands": [{"argv": ["bin/ls"], "path_kind": "workspace"}]})
}

test_a_script_is_let_pass if {
	count(data.sandgate.rules.code.lookalike.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["./run.sh"], "path_kind": "workspace"}]})
}

test_the_project_s_python_is_let_pass if {
	count(data.sandgate.rules.code.lookalike.findings) == 0
		with input as testing.asks({"commands": [{"argv": [".venv/bin/python", "-V"], "path_kind": "workspace"}]})
}
