package sandgate.rules.files.gate_test

import data.sandgate.testing

test_the_gate_s_socket_is_found if {
	"deny" in testing.effects(data.sandgate.rules.files.gate.findings)
		with input as testing.file("file_read", "read", "/run/sandgate/agent.sock", "gate")
}

test_even_under_open_is_found if {
	"deny" in testing.effects(data.sandgate.rules.files.gate.findings)
		with input as testing.file("file_read", "read", "/run/sandgate/agent.sock", "gate")
		with data.sandgate_config as {
			"profile": "open",
			"revision": "test",
			"commands": {},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_by_a_command_is_found if {
	"deny" in testing.effects(data.sandgate.rules.files.gate.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/run/sandgate/egress.sock"]}],
			"paths": [
				{
					"asked": "/run/sandgate/egress.sock",
					"resolved": "/run/sandgate/egress.sock",
					"op": "read",
					"area": "gate",
				},
			],
		})
}

test_a_file_of_the_workspace_is_let_pass if {
	count(data.sandgate.rules.files.gate.findings) == 0
		with input as testing.file("file_read", "read", "/workspace/a", "workspace")
}
