package sandgate.rules.outward.publish_test

import data.sandgate.testing

test_git_push_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.publish.findings)
		with input as testing.runs([["git", "push", "origin", "HEAD"]])
}

test_options_in_front_of_the_sub_command_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.publish.findings)
		with input as testing.runs([["git", "-C", "/workspace", "-c", "user.name=x", "push"]])
}

test_npm_publish_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.publish.findings)
		with input as testing.runs([["npm", "publish"]])
}

test_twine_upload_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.publish.findings)
		with input as testing.runs([["twine", "upload", null]])
}

test_a_sub_command_that_is_not_known_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.publish.findings)
		with input as testing.runs([["git", null]])
}

test_opening_a_pull_request_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.publish.findings)
		with input as testing.runs([["gh", "pr", "create", "--fill"]])
}

test_commit_is_let_pass if {
	count(data.sandgate.rules.outward.publish.findings) == 0
		with input as testing.runs([["git", "commit", "-m", "push it"]])
}

test_stash_push_is_let_pass if {
	count(data.sandgate.rules.outward.publish.findings) == 0
		with input as testing.runs([["git", "stash", "push", "-m", "wip"]])
}

test_npm_test_is_let_pass if {
	count(data.sandgate.rules.outward.publish.findings) == 0
		with input as testing.runs([["npm", "test"]])
}

test_looking_at_a_pull_request_is_let_pass if {
	count(data.sandgate.rules.outward.publish.findings) == 0
		with input as testing.runs([["gh", "pr", "view", "3"]])
}

test_allowed_by_the_operator_is_let_pass if {
	data.sandgate.decision.effect == "allow"
		with input as testing.runs([["git", "push", "origin", "HEAD"]])
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {"git": [{"effect": "allow", "words": ["push"]}]},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_a_dry_run_is_let_pass if {
	count(data.sandgate.rules.outward.publish.findings) == 0
		with input as testing.runs([["npm", "publish", "--dry-run"]])
}
