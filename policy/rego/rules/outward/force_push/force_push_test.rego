package sandgate.rules.outward.force_push_test

import data.sandgate.testing

test_f_is_found if {
	"deny" in testing.effects(data.sandgate.rules.outward.force_push.findings)
		with input as testing.runs([["git", "push", "-f", "origin", "main"]])
}

test_force_behind_options_is_found if {
	"deny" in testing.effects(data.sandgate.rules.outward.force_push.findings)
		with input as testing.runs([["git", "-C", "/workspace", "push", "--force", "origin", "main"]])
}

test_a_plus_in_front_of_the_ref_is_found if {
	"deny" in testing.effects(data.sandgate.rules.outward.force_push.findings)
		with input as testing.runs([["git", "push", "origin", "+main"]])
}

test_a_forced_push_that_the_operator_s_list_would_allow_is_found if {
	"deny" in testing.effects(data.sandgate.rules.outward.force_push.findings)
		with input as testing.runs([["git", "push", "--force"]])
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {"git": [{"effect": "allow", "words": ["push"]}, {"effect": "allow", "words": []}]},
			"paths": [],
			"execute": ["/"],
			"hosts": [],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_a_plain_push_is_asked_about_only_is_let_pass if {
	count(data.sandgate.rules.outward.force_push.findings) == 0
		with input as testing.runs([["git", "push", "origin", "main"]])
}

test_a_branch_that_is_not_known_yet_is_asked_about_only_is_let_pass if {
	count(data.sandgate.rules.outward.force_push.findings) == 0
		with input as testing.runs([["git", "push", "origin", null]])
}

test_force_elsewhere_is_let_pass if {
	count(data.sandgate.rules.outward.force_push.findings) == 0
		with input as testing.runs([["git", "checkout", "-f", "main"]])
}
