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
