package sandgate.rules.operator.commands_test

import data.sandgate.testing

test_a_denied_program_is_found if {
	"deny" in testing.effects(data.sandgate.rules.operator.commands.findings)
		with input as testing.runs([["terraform", "plan"]])
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {"terraform": [{"effect": "deny", "words": []}]},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_a_denied_sub_command_behind_options_is_found if {
	"deny" in testing.effects(data.sandgate.rules.operator.commands.findings)
		with input as testing.runs([["git", "-C", "/x", "reset", "--hard"]])
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {"git": [{"effect": "deny", "words": ["reset"]}]},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_a_sub_command_that_could_be_it_is_found if {
	"deny" in testing.effects(data.sandgate.rules.operator.commands.findings)
		with input as testing.runs([["npm", null]])
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {"npm": [{"effect": "deny", "words": ["run"]}]},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_asked_about_is_found if {
	"ask" in testing.effects(data.sandgate.rules.operator.commands.findings)
		with input as testing.runs([["make", "deploy"]])
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {"make": [{"effect": "ask", "words": ["deploy"]}]},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_under_open_as_well_is_found if {
	"deny" in testing.effects(data.sandgate.rules.operator.commands.findings)
		with input as testing.runs([["make", "deploy"]])
		with data.sandgate_config as {
			"profile": "open",
			"revision": "test",
			"commands": {"make": [{"effect": "deny", "words": ["deploy"]}]},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_another_sub_command_is_let_pass if {
	count(data.sandgate.rules.operator.commands.findings) == 0
		with input as testing.runs([["git", "status"]])
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {"git": [{"effect": "deny", "words": ["reset"]}]},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_for_another_role_is_let_pass if {
	count(data.sandgate.rules.operator.commands.findings) == 0
		with input as testing.runs([["make", "deploy"]])
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {"make": [{"effect": "deny", "words": [], "role": "guest"}]},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}
