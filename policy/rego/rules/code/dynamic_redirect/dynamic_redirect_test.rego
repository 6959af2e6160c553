package sandgate.rules.code.dynamic_redirect_test

import data.sandgate.testing

test_a_variable_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.dynamic_redirect.findings)
		with input as testing.asks({
			"commands": [
				{
					"argv": ["echo", "x"],
					"redirects": [{"op": ">", "fd": null, "path": null, "dynamic": true}],
				},
			],
		})
}

test_a_known_file_is_let_pass if {
	count(data.sandgate.rules.code.dynamic_redirect.findings) == 0
		with input as testing.asks({
			"commands": [
				{
					"argv": ["echo", "x"],
					"redirects": [{"op": ">", "fd": null, "path": "/workspace/out.txt", "dynamic": false}],
				},
			],
		})
}

_result := {"op": ">", "fd": null, "path": "/workspace/out/*.log", "dynamic": true}

test_a_result_is_let_pass if {
	count(data.sandgate.rules.code.dynamic_redirect.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["echo", "x"], "redirects": [_result]}]})
}

test_a_result_is_found_where_the_operator_guards_paths if {
	guarded := {"glob": "/workspace/infra/**", "prefix": "/workspace/infra/", "ops": ["write"], "effect": "ask"}
	"ask" in testing.effects(data.sandgate.rules.code.dynamic_redirect.findings)
		with input as testing.asks({"commands": [{"argv": ["echo", "x"], "redirects": [_result]}]})
		with data.sandgate.settings.all.paths as [guarded]
}

test_a_here_document_is_let_pass if {
	count(data.sandgate.rules.code.dynamic_redirect.findings) == 0
		with input as testing.asks({
			"commands": [
				{
					"argv": ["cat"],
					"redirects": [{"op": "<<", "fd": null, "path": null, "dynamic": false}],
				},
			],
		})
}

test_input_from_a_variable_is_let_pass if {
	count(data.sandgate.rules.code.dynamic_redirect.findings) == 0
		with input as testing.asks({
			"commands": [
				{
					"argv": ["cat"],
					"redirects": [{"op": "<", "fd": null, "path": null, "dynamic": true}],
				},
			],
		})
}
