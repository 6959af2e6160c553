package sandgate.rules.environment.programs_test

import data.sandgate.testing

test_an_editor_of_the_workspace_is_found if {
	"deny" in testing.effects(data.sandgate.rules.environment.programs.findings)
		with input as testing.asks({"commands": [{"argv": ["git", "commit"], "assigns": [{"name": "EDITOR", "value": "./x"}]}]})
}

test_no_pager_is_let_pass if {
	count(data.sandgate.rules.environment.programs.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["git", "log"], "assigns": [{"name": "PAGER", "value": "cat"}]}]})
}

test_no_questions_is_let_pass if {
	count(data.sandgate.rules.environment.programs.findings) == 0
		with input as testing.asks({
			"commands": [
				{
					"argv": ["git", "rebase", "--continue"],
					"assigns": [{"name": "GIT_EDITOR", "value": "true"}],
				},
			],
		})
}

test_a_compiler_of_unknown_make_is_found if {
	"ask" in testing.effects(data.sandgate.rules.environment.programs.findings)
		with input as testing.asks({"commands": [{"argv": ["make"], "assigns": [{"name": "CC", "value": "./x"}]}]})
}

test_a_compiler_with_options_is_let_pass if {
	count(data.sandgate.rules.environment.programs.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["make"], "assigns": [{"name": "CC", "value": "ccache gcc-13 -m32"}]}]})
}

test_an_editor_that_sorts_commits_is_let_pass if {
	count(data.sandgate.rules.environment.programs.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["git", "rebase", "-i", "HEAD~2"], "assigns": [{"name": "GIT_SEQUENCE_EDITOR", "value": "sed -i 's/^pick/squash/'"}]}]})
}
