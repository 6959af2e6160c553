package sandgate.rules.files.links_test

import data.sandgate.testing

test_a_link_to_the_root_is_found if {
	"deny" in testing.effects(data.sandgate.rules.files.links.findings)
		with input as testing.runs([["ln", "-s", "/", "/workspace/r"]])
}

test_a_link_to_processes_is_found if {
	"deny" in testing.effects(data.sandgate.rules.files.links.findings)
		with input as testing.runs([["ln", "-s", "/proc/self/root", "r"]])
}

test_a_link_in_the_workspace_is_let_pass if {
	count(data.sandgate.rules.files.links.findings) == 0
		with input as testing.runs([["ln", "-sf", "a", "b"]])
}

test_a_link_to_a_program_is_let_pass if {
	count(data.sandgate.rules.files.links.findings) == 0
		with input as testing.runs([["ln", "-s", "/usr/bin/python3", "python"]])
}
