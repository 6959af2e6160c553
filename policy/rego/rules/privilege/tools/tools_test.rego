package sandgate.rules.privilege.tools_test

import data.sandgate.testing

test_sudo_gains_rights_is_found if {
	"deny" in testing.effects(data.sandgate.rules.privilege.tools.findings)
		with input as testing.runs([["sudo", "-u", "root", "--", "ls"]])
}

test_mount_changes_the_file_system_is_found if {
	"deny" in testing.effects(data.sandgate.rules.privilege.tools.findings)
		with input as testing.runs([["mount", "/dev/sda1", "/mnt"]])
}

test_nsenter_leaves_the_sandbox_is_found if {
	"deny" in testing.effects(data.sandgate.rules.privilege.tools.findings)
		with input as testing.runs([["nsenter", "-t", "1", "-m", "sh"]])
}

test_pip_needs_no_rights_is_let_pass if {
	count(data.sandgate.rules.privilege.tools.findings) == 0
		with input as testing.runs([["pip", "install", "rich"]])
}

test_a_file_of_the_workspace_that_is_named_otherwise_is_let_pass if {
	count(data.sandgate.rules.privilege.tools.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["./setup.sh"], "path_kind": "workspace"}]})
}
