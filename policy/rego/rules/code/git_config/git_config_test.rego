package sandgate.rules.code.git_config_test

import data.sandgate.testing

test_an_alias_that_runs_a_shell_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.git_config.findings)
		with input as testing.runs([["git", "config", "alias.x", "!sh -c id"]])
}

test_with_c_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.git_config.findings)
		with input as testing.runs([["git", "-c", "alias.x=!sh -c id", "x"]])
}

test_a_monitor_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.git_config.findings)
		with input as testing.runs([["git", "config", "core.fsmonitor", "./x"]])
}

test_other_programs_for_git_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.git_config.findings)
		with input as testing.runs([["git", "--exec-path=/workspace/bin", "status"]])
}

test_grep_o_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.git_config.findings)
		with input as testing.runs([["git", "grep", "--open-f=sh -c id", "x"]])
}

test_an_external_diff_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.git_config.findings)
		with input as testing.runs([["git", "diff", "--ext-diff"]])
}

test_a_transport_that_is_a_command_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.git_config.findings)
		with input as testing.runs([["git", "clone", "ext::sh -c id"]])
}

test_who_commits_is_let_pass if {
	count(data.sandgate.rules.code.git_config.findings) == 0
		with input as testing.runs([["git", "config", "user.name", "A Person"]])
}

test_who_commits_from_a_variable_is_let_pass if {
	count(data.sandgate.rules.code.git_config.findings) == 0
		with input as testing.runs([["git", "config", "user.email", null]])
}

test_no_pager_is_let_pass if {
	count(data.sandgate.rules.code.git_config.findings) == 0
		with input as testing.runs([["git", "-c", "core.pager=cat", "log"]])
}

test_an_alias_of_git_s_own_is_let_pass if {
	count(data.sandgate.rules.code.git_config.findings) == 0
		with input as testing.runs([["git", "config", "alias.st", "status"]])
}

test_reading_is_let_pass if {
	count(data.sandgate.rules.code.git_config.findings) == 0
		with input as testing.runs([["git", "config", "--get", "core.editor"]])
}
