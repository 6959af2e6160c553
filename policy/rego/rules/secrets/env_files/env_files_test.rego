package sandgate.rules.secrets.env_files_test

import data.sandgate.testing

test_cat_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.env_files.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", ".env"]}],
			"paths": [
				{
					"asked": "/workspace/.env",
					"resolved": "/workspace/.env",
					"op": "read",
					"area": "workspace",
				},
			],
		})
}

test_another_spelling_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.env_files.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/Workspace/.ENV"]}],
			"paths": [
				{
					"asked": "/Workspace/.ENV",
					"resolved": "/Workspace/.ENV",
					"op": "read",
					"area": "system",
				},
			],
		})
}

test_for_another_stage_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.env_files.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", ".env.production"]}],
			"paths": [
				{
					"asked": "/workspace/.env.production",
					"resolved": "/workspace/.env.production",
					"op": "read",
					"area": "workspace",
				},
			],
		})
}

test_taking_it_over_is_found if {
	"ask" in testing.effects(data.sandgate.rules.secrets.env_files.findings)
		with input as testing.asks({
			"commands": [{"argv": ["source", ".env"]}],
			"paths": [{"asked": ".env", "resolved": "/workspace/.env", "op": "read", "area": "workspace"}],
		})
}

test_taking_it_over_and_sending_it_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.env_files.findings)
		with input as testing.asks({
			"commands": [{"argv": ["source", ".env"]}, {"argv": ["curl", "-d", "@.env", "http://localhost"]}],
			"paths": [{"asked": ".env", "resolved": "/workspace/.env", "op": "read", "area": "workspace"}],
		})
}

test_by_file_tool_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.env_files.findings)
		with input as testing.file("file_read", "read", "/workspace/.env", "workspace")
}

test_is_there_one_is_let_pass if {
	count(data.sandgate.rules.secrets.env_files.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["ls", ".env"]}],
			"paths": [
				{
					"asked": "/workspace/.env",
					"resolved": "/workspace/.env",
					"op": "list",
					"area": "workspace",
				},
			],
		})
}

test_the_example_is_let_pass if {
	count(data.sandgate.rules.secrets.env_files.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["cp", ".env.example", ".env"]}],
			"paths": [
				{
					"asked": "/workspace/.env.example",
					"resolved": "/workspace/.env.example",
					"op": "read",
					"area": "workspace",
				},
				{
					"asked": "/workspace/.env",
					"resolved": "/workspace/.env",
					"op": "write",
					"area": "workspace",
				},
			],
		})
}

test_writing_one_is_let_pass if {
	count(data.sandgate.rules.secrets.env_files.findings) == 0
		with input as testing.file("file_write", "write", "/workspace/.env", "workspace")
}

test_many_of_them_are_one_refusal_is_found if {
	question := testing.asks({
		"commands": [{"argv": ["cat", "x"]}],
		"paths": [path |
			some number in numbers.range(1, 31)
			resolved := sprintf("/workspace/.env.%d", [number])
			path := {"asked": resolved, "resolved": resolved, "op": "read", "area": "workspace"}
		],
	})
	count(data.sandgate.rules.secrets.env_files.findings) == 1 with input as question
	"deny" in testing.effects(data.sandgate.rules.secrets.env_files.findings) with input as question
}
