package sandgate.rules.strict.unlisted_test

import data.sandgate.testing

test_an_interpreter_is_found if {
	"deny" in testing.effects(data.sandgate.rules.strict.unlisted.findings)
		with input as testing.runs([["python3", "x.py"]])
		with data.sandgate_config as {
			"profile": "strict",
			"revision": "test",
			"commands": {},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_a_file_of_the_workspace_is_found if {
	"deny" in testing.effects(data.sandgate.rules.strict.unlisted.findings)
		with input as testing.asks({"commands": [{"argv": ["./ls"], "path_kind": "workspace"}]})
		with data.sandgate_config as {
			"profile": "strict",
			"revision": "test",
			"commands": {},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_find_delete_is_found if {
	"deny" in testing.effects(data.sandgate.rules.strict.unlisted.findings)
		with input as testing.runs([["find", ".", "-name", "x", "-delete"]])
		with data.sandgate_config as {
			"profile": "strict",
			"revision": "test",
			"commands": {},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_a_reader_is_let_pass if {
	count(data.sandgate.rules.strict.unlisted.findings) == 0
		with input as testing.runs([["grep", "-rn", "x", "src"]])
		with data.sandgate_config as {
			"profile": "strict",
			"revision": "test",
			"commands": {},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_git_log_is_let_pass if {
	count(data.sandgate.rules.strict.unlisted.findings) == 0
		with input as testing.runs([["git", "log"]])
		with data.sandgate_config as {
			"profile": "strict",
			"revision": "test",
			"commands": {},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_allowed_by_the_operator_is_let_pass if {
	data.sandgate.decision.effect == "allow"
		with input as testing.runs([["pytest", "-q"]])
		with data.sandgate_config as {
			"profile": "strict",
			"revision": "test",
			"commands": {"pytest": [{"effect": "allow", "words": []}]},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_standard_is_let_pass if {
	count(data.sandgate.rules.strict.unlisted.findings) == 0
		with input as testing.runs([["python3", "x.py"]])
}
