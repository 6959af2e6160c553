package sandgate.rules.persistence.startup_files_test

import data.sandgate.testing

test_a_workflow_is_found if {
	"ask" in testing.effects(data.sandgate.rules.persistence.startup_files.findings)
		with input as testing.asks({
			"commands": [{"argv": ["tee", ".github/workflows/x.yml"]}],
			"paths": [
				{
					"asked": "/workspace/.github/workflows/x.yml",
					"resolved": "/workspace/.github/workflows/x.yml",
					"op": "write",
					"area": "workspace",
				},
			],
		})
}

test_a_shell_s_start_up_file_is_found if {
	"ask" in testing.effects(data.sandgate.rules.persistence.startup_files.findings)
		with input as testing.asks({
			"commands": [
				{
					"argv": ["echo", "x"],
					"redirects": [{"op": ">>", "fd": null, "path": "/home/agent/.bashrc", "dynamic": false}],
				},
			],
			"paths": [
				{
					"asked": "/home/agent/.bashrc",
					"resolved": "/home/agent/.bashrc",
					"op": "write",
					"area": "home",
				},
			],
		})
}

test_a_schedule_is_found if {
	"ask" in testing.effects(data.sandgate.rules.persistence.startup_files.findings)
		with input as testing.runs([["crontab", "jobs"]])
}

test_by_file_tool_is_found if {
	"ask" in testing.effects(data.sandgate.rules.persistence.startup_files.findings)
		with input as testing.file("file_write", "write", "/workspace/.vscode/tasks.json", "workspace")
}

test_reading_a_workflow_is_let_pass if {
	count(data.sandgate.rules.persistence.startup_files.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["cat", ".github/workflows/x.yml"]}],
			"paths": [
				{
					"asked": "/workspace/.github/workflows/x.yml",
					"resolved": "/workspace/.github/workflows/x.yml",
					"op": "read",
					"area": "workspace",
				},
			],
		})
}

test_a_path_that_the_operator_allows_is_let_pass if {
	data.sandgate.decision.effect == "allow"
		with input as testing.file("file_write", "write", "/workspace/.vscode/tasks.json", "workspace")
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {},
			"paths": [
				{
					"glob": "/workspace/.vscode/**",
					"prefix": "/workspace/.vscode/",
					"ops": ["write"],
					"effect": "allow",
				},
				{
					"glob": "/workspace/.vscode",
					"prefix": "/workspace/.vscode",
					"ops": ["write"],
					"effect": "allow",
				},
			],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_listing_the_schedule_is_let_pass if {
	count(data.sandgate.rules.persistence.startup_files.findings) == 0
		with input as testing.runs([["crontab", "-l"]])
}

test_hooks_of_all_repositories_is_found if {
	"ask" in testing.effects(data.sandgate.rules.persistence.startup_files.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cp", "x", "/home/agent/.config/git/hooks/pre-commit"]}],
			"paths": [{"asked": "/home/agent/.config/git/hooks/pre-commit", "resolved": "/home/agent/.config/git/hooks/pre-commit", "op": "write", "area": "home"}],
		})
}

test_the_start_of_another_shell_is_found if {
	"ask" in testing.effects(data.sandgate.rules.persistence.startup_files.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cp", "x", "/home/agent/.config/nushell/config.nu"]}],
			"paths": [{"asked": "/home/agent/.config/nushell/config.nu", "resolved": "/home/agent/.config/nushell/config.nu", "op": "write", "area": "home"}],
		})
}
