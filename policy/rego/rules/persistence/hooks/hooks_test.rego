package sandgate.rules.persistence.hooks_test

import data.sandgate.testing

test_a_copied_hook_is_found if {
	"deny" in testing.effects(data.sandgate.rules.persistence.hooks.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cp", "payload", ".git/hooks/post-checkout"]}],
			"paths": [
				{
					"asked": "/workspace/payload",
					"resolved": "/workspace/payload",
					"op": "read",
					"area": "workspace",
				},
				{
					"asked": "/workspace/.git/hooks/post-checkout",
					"resolved": "/workspace/.git/hooks/post-checkout",
					"op": "write",
					"area": "workspace",
				},
			],
		})
}

test_a_hook_by_file_tool_is_found if {
	"deny" in testing.effects(data.sandgate.rules.persistence.hooks.findings)
		with input as testing.file("file_write", "write", "/workspace/.git/config", "workspace")
}

test_a_nested_repository_is_found if {
	"deny" in testing.effects(data.sandgate.rules.persistence.hooks.findings)
		with input as testing.file("file_write", "write", "/workspace/x/.git/hooks/pre-commit", "workspace")
}

test_what_is_unpacked_into_the_repository_is_found if {
	"deny" in testing.effects(data.sandgate.rules.persistence.hooks.findings)
		with input as testing.asks({
			"commands": [{"argv": ["tar", "-xf", "a.tar", "-C", ".git"]}],
			"paths": [{"asked": ".git", "resolved": "/workspace/.git", "op": "write", "area": "workspace"}],
		})
}

test_the_history_is_found if {
	testing.effects(data.sandgate.rules.persistence.hooks.findings) == {"ask"}
		with input as testing.asks({
			"commands": [{"argv": ["rm", "-rf", ".git"]}],
			"paths": [{"asked": ".git", "resolved": "/workspace/.git", "op": "delete", "area": "workspace"}],
		})
}

test_looking_at_hooks_is_let_pass if {
	count(data.sandgate.rules.persistence.hooks.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["ls", ".git/hooks"]}],
			"paths": [
				{
					"asked": "/workspace/.git/hooks",
					"resolved": "/workspace/.git/hooks",
					"op": "list",
					"area": "workspace",
				},
			],
		})
}

test_reading_the_settings_is_let_pass if {
	count(data.sandgate.rules.persistence.hooks.findings) == 0
		with input as testing.file("file_read", "read", "/workspace/.git/config", "workspace")
}
