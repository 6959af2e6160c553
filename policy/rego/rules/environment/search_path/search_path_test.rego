package sandgate.rules.environment.search_path_test

import data.sandgate.testing

test_a_folder_of_the_workspace_is_found if {
	"deny" in testing.effects(data.sandgate.rules.environment.search_path.findings)
		with input as testing.asks({
			"commands": [{"argv": ["sh", "-c", "ls"], "assigns": [{"name": "PATH", "value": "/tmp/x"}]}],
		})
}

test_in_front_of_what_it_was_is_found if {
	"deny" in testing.effects(data.sandgate.rules.environment.search_path.findings)
		with input as testing.asks({"commands": [{"argv": ["export", null], "assigns": [{"name": "PATH", "value": null}]}]})
}

test_the_system_s_folders_is_let_pass if {
	count(data.sandgate.rules.environment.search_path.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["sh", "-c", "ls"], "assigns": [{"name": "PATH", "value": "/usr/bin:/bin"}]}],
		})
}
