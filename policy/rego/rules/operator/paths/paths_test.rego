package sandgate.rules.operator.paths_test

import data.sandgate.testing

test_a_denied_path_by_file_tool_is_found if {
	"deny" in testing.effects(data.sandgate.rules.operator.paths.findings)
		with input as testing.file("file_read", "read", "/workspace/private/a", "workspace")
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {},
			"paths": [
				{
					"glob": "/workspace/private/**",
					"prefix": "/workspace/private/",
					"ops": ["delete", "list", "read", "write"],
					"effect": "deny",
				},
				{
					"glob": "/workspace/private",
					"prefix": "/workspace/private",
					"ops": ["delete", "list", "read", "write"],
					"effect": "deny",
				},
			],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_the_folder_itself_is_found if {
	"deny" in testing.effects(data.sandgate.rules.operator.paths.findings)
		with input as testing.file("file_list", "list", "/workspace/private", "workspace")
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {},
			"paths": [
				{
					"glob": "/workspace/private/**",
					"prefix": "/workspace/private/",
					"ops": ["delete", "list", "read", "write"],
					"effect": "deny",
				},
				{
					"glob": "/workspace/private",
					"prefix": "/workspace/private",
					"ops": ["delete", "list", "read", "write"],
					"effect": "deny",
				},
			],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_by_a_command_is_found if {
	"deny" in testing.effects(data.sandgate.rules.operator.paths.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", "private/a"]}],
			"paths": [
				{
					"asked": "/workspace/private/a",
					"resolved": "/workspace/private/a",
					"op": "read",
					"area": "workspace",
				},
			],
		})
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {},
			"paths": [
				{
					"glob": "/workspace/private/**",
					"prefix": "/workspace/private/",
					"ops": ["delete", "list", "read", "write"],
					"effect": "deny",
				},
				{
					"glob": "/workspace/private",
					"prefix": "/workspace/private",
					"ops": ["delete", "list", "read", "write"],
					"effect": "deny",
				},
			],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_asked_about_under_open_is_found if {
	"ask" in testing.effects(data.sandgate.rules.operator.paths.findings)
		with input as testing.file("file_write", "write", "/workspace/x", "workspace")
		with data.sandgate_config as {
			"profile": "open",
			"revision": "test",
			"commands": {},
			"paths": [{"glob": "/workspace/*", "prefix": "/workspace/", "ops": ["write"], "effect": "ask"}],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_another_path_is_let_pass if {
	count(data.sandgate.rules.operator.paths.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["cat", "public/a"]}],
			"paths": [
				{
					"asked": "/workspace/public/a",
					"resolved": "/workspace/public/a",
					"op": "read",
					"area": "workspace",
				},
			],
		})
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {},
			"paths": [
				{
					"glob": "/workspace/private/**",
					"prefix": "/workspace/private/",
					"ops": ["delete", "list", "read", "write"],
					"effect": "deny",
				},
				{
					"glob": "/workspace/private",
					"prefix": "/workspace/private",
					"ops": ["delete", "list", "read", "write"],
					"effect": "deny",
				},
			],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_another_use_is_let_pass if {
	count(data.sandgate.rules.operator.paths.findings) == 0
		with input as testing.file("file_read", "read", "/workspace/docs/a", "workspace")
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {},
			"paths": [
				{
					"glob": "/workspace/docs/*",
					"prefix": "/workspace/docs/",
					"ops": ["write"],
					"effect": "deny",
				},
			],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}
