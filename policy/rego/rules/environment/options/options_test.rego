package sandgate.rules.environment.options_test

import data.sandgate.testing

test_modules_of_the_project_is_let_pass if {
	count(data.sandgate.rules.environment.options.findings) == 0
		with input as testing.asks({"commands": [{
			"argv": ["make"],
			"assigns": [{"name": "PYTHONPATH", "value": "./src:lib"}],
		}]})
}

test_modules_of_home_is_found if {
	"ask" in testing.effects(data.sandgate.rules.environment.options.findings)
		with input as testing.asks({"commands": [{
			"argv": ["make"],
			"assigns": [{"name": "PYTHONPATH", "value": "~/x"}],
		}]})
}

test_a_script_shell_is_found if {
	"ask" in testing.effects(data.sandgate.rules.environment.options.findings)
		with input as testing.asks({"commands": [{
			"argv": ["make"],
			"assigns": [{"name": "npm_config_script_shell", "value": "/workspace/x"}],
		}]})
}

test_an_editor_s_program_is_found if {
	"ask" in testing.effects(data.sandgate.rules.environment.options.findings)
		with input as testing.asks({"commands": [{
			"argv": ["make"],
			"assigns": [{"name": "VIMINIT", "value": "!id"}],
		}]})
}

test_nothing_is_let_pass if {
	count(data.sandgate.rules.environment.options.findings) == 0
		with input as testing.asks({"commands": [{
			"argv": ["make"],
			"assigns": [{"name": "GIT_DIR", "value": ""}],
		}]})
}
