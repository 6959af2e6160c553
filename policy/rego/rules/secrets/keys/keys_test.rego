package sandgate.rules.secrets.keys_test

import data.sandgate.testing

test_the_password_database_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.keys.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", "etc/shadow"], "cwd": "/"}],
			"paths": [{"asked": "/etc/shadow", "resolved": "/etc/shadow", "op": "read", "area": "system"}],
		})
}

test_a_private_key_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.keys.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/home/agent/.ssh/id_rsa"]}],
			"paths": [
				{
					"asked": "/home/agent/.ssh/id_rsa",
					"resolved": "/home/agent/.ssh/id_rsa",
					"op": "read",
					"area": "home",
				},
			],
		})
}

test_by_file_tool_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.keys.findings)
		with input as testing.file("file_read", "read", "/home/agent/.netrc", "home")
}

test_through_a_link_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.keys.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", "r/etc/shadow"]}],
			"paths": [
				{
					"asked": "/workspace/r/etc/shadow",
					"resolved": "/workspace/r/etc/shadow",
					"op": "read",
					"area": "workspace",
				},
			],
		})
}

test_known_hosts_is_let_pass if {
	count(data.sandgate.rules.secrets.keys.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/home/agent/.ssh/known_hosts"]}],
			"paths": [
				{
					"asked": "/home/agent/.ssh/known_hosts",
					"resolved": "/home/agent/.ssh/known_hosts",
					"op": "read",
					"area": "home",
				},
			],
		})
}

test_the_users_is_let_pass if {
	count(data.sandgate.rules.secrets.keys.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/etc/passwd"]}],
			"paths": [{"asked": "/etc/passwd", "resolved": "/etc/passwd", "op": "read", "area": "system"}],
		})
}

test_what_is_there_is_let_pass if {
	count(data.sandgate.rules.secrets.keys.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["ls", "/home/agent/.ssh"]}],
			"paths": [
				{
					"asked": "/home/agent/.ssh",
					"resolved": "/home/agent/.ssh",
					"op": "list",
					"area": "home",
				},
			],
		})
}

test_the_login_of_an_agent_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.keys.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/home/agent/.codex/auth.json"]}],
			"paths": [{"asked": "/home/agent/.codex/auth.json", "resolved": "/home/agent/.codex/auth.json", "op": "read", "area": "home"}],
		})
}

test_a_store_of_passwords_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.keys.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cp", "-r", "/home/agent/.password-store", "x"]}],
			"paths": [{"asked": "/home/agent/.password-store", "resolved": "/home/agent/.password-store", "op": "read", "area": "home"}],
		})
}

test_the_settings_of_an_agent_is_let_pass if {
	count(data.sandgate.rules.secrets.keys.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/workspace/.codex/config.toml"]}],
			"paths": [{"asked": "/workspace/.codex/config.toml", "resolved": "/workspace/.codex/config.toml", "op": "read", "area": "workspace"}],
		})
}
