package sandgate.rules.environment.loader_test

import data.sandgate.testing

test_a_library_for_every_program_is_found if {
	"deny" in testing.effects(data.sandgate.rules.environment.loader.findings)
		with input as testing.asks({
			"commands": [{"argv": ["ls"], "assigns": [{"name": "LD_PRELOAD", "value": "/workspace/x.so"}]}],
		})
}

test_a_file_for_every_shell_is_found if {
	"deny" in testing.effects(data.sandgate.rules.environment.loader.findings)
		with input as testing.asks({
			"commands": [{"argv": ["bash", "run.sh"], "assigns": [{"name": "BASH_ENV", "value": null}]}],
		})
}

test_words_taken_apart_is_found if {
	"deny" in testing.effects(data.sandgate.rules.environment.loader.findings)
		with input as testing.asks({"commands": [{"argv": ["make"], "assigns": [{"name": "IFS", "value": "/"}]}]})
}

test_code_for_every_node_is_found if {
	"ask" in testing.effects(data.sandgate.rules.environment.loader.findings)
		with input as testing.asks({
			"commands": [
				{
					"argv": ["node", "x.js"],
					"assigns": [{"name": "NODE_OPTIONS", "value": "--require ./x.js"}],
				},
			],
		})
}

test_memory_for_node_is_let_pass if {
	count(data.sandgate.rules.environment.loader.findings) == 0
		with input as testing.asks({
			"commands": [
				{
					"argv": ["node", "x.js"],
					"assigns": [{"name": "NODE_OPTIONS", "value": "--max-old-space-size=4096"}],
				},
			],
		})
}

test_read_with_a_separator_is_let_pass if {
	count(data.sandgate.rules.environment.loader.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["read", "-ra", "parts"], "assigns": [{"name": "IFS", "value": ":"}]}],
		})
}

test_the_project_s_modules_is_let_pass if {
	count(data.sandgate.rules.environment.loader.findings) == 0
		with input as testing.asks({
			"commands": [
				{
					"argv": ["python3", "-m", "app"],
					"assigns": [{"name": "PYTHONPATH", "value": "src"}],
				},
			],
		})
}

test_any_other_name_is_let_pass if {
	count(data.sandgate.rules.environment.loader.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["make"], "assigns": [{"name": "CI", "value": "true"}]}]})
}

test_a_package_beside_a_file_for_every_node_is_found if {
	"ask" in testing.effects(data.sandgate.rules.environment.loader.findings)
		with input as testing.asks({"commands": [{"argv": ["npm", "test"], "assigns": [{"name": "NODE_OPTIONS", "value": "--import tsx -r ./x.js"}]}]})
}

test_packages_of_the_project_for_every_node_is_let_pass if {
	count(data.sandgate.rules.environment.loader.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["npm", "test"], "assigns": [{"name": "NODE_OPTIONS", "value": "--import tsx -r ts-node/register"}]}]})
}

test_a_file_for_every_sh_is_found if {
	"deny" in testing.effects(data.sandgate.rules.environment.loader.findings)
		with input as testing.asks({"commands": [{"argv": ["sh", "a.sh"], "assigns": [{"name": "ENV", "value": "./x"}]}]})
}

test_the_name_of_an_environment_is_let_pass if {
	count(data.sandgate.rules.environment.loader.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["pytest"], "assigns": [{"name": "ENV", "value": "test"}]}]})
}

test_the_system_s_libraries_is_let_pass if {
	count(data.sandgate.rules.environment.loader.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["./app"], "assigns": [{"name": "LD_LIBRARY_PATH", "value": "/usr/local/lib"}]}]})
}

test_a_path_out_of_the_system_s_libraries_is_found if {
	"deny" in testing.effects(data.sandgate.rules.environment.loader.findings)
		with input as testing.asks({"commands": [{"argv": ["./app"], "assigns": [{"name": "LD_LIBRARY_PATH", "value": "/usr/lib/../../tmp"}]}]})
}
