package sandgate.rules.secrets.whole_disk_test

import data.sandgate.testing

test_grep_r_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.whole_disk.findings)
		with input as testing.asks({
			"commands": [{"argv": ["grep", "-r", "AKIA", "/"]}],
			"paths": [{"asked": "/", "resolved": "/", "op": "read", "area": "system"}],
		})
}

test_rg_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.whole_disk.findings)
		with input as testing.asks({
			"commands": [{"argv": ["rg", "AKIA", "/"]}],
			"paths": [{"asked": "/", "resolved": "/", "op": "read", "area": "system"}],
		})
}

test_the_workspace_is_let_pass if {
	count(data.sandgate.rules.secrets.whole_disk.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["grep", "-rn", "TODO", "."]}],
			"paths": [{"asked": "/workspace", "resolved": "/workspace", "op": "read", "area": "workspace"}],
		})
}

test_one_folder_of_the_system_is_let_pass if {
	count(data.sandgate.rules.secrets.whole_disk.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["grep", "-r", "EPOLLET", "/usr/include"]}],
			"paths": [{"asked": "/usr/include", "resolved": "/usr/include", "op": "read", "area": "system"}],
		})
}

test_what_is_there_is_let_pass if {
	count(data.sandgate.rules.secrets.whole_disk.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["ls", "/"]}],
			"paths": [{"asked": "/", "resolved": "/", "op": "list", "area": "system"}],
		})
}

test_an_archive_of_the_home_folder_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.whole_disk.findings)
		with input as testing.asks({
			"commands": [{"argv": ["tar", "cf", "x", "/home/agent"]}],
			"paths": [{"asked": "/home/agent", "resolved": "/home/agent", "op": "read", "area": "home"}],
		})
}

test_a_copy_of_the_disk_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.whole_disk.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cp", "-r", "/", "x"]}],
			"paths": [{"asked": "/", "resolved": "/", "op": "read", "area": "system"}],
		})
}

test_a_copy_of_one_folder_of_the_home_is_let_pass if {
	count(data.sandgate.rules.secrets.whole_disk.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["cp", "-r", "/home/agent/x", "y"]}],
			"paths": [{"asked": "/home/agent/x", "resolved": "/home/agent/x", "op": "read", "area": "home"}],
		})
}

test_a_copy_beside_a_search_of_the_home_folder_is_let_pass if {
	count(data.sandgate.rules.secrets.whole_disk.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["grep", "-r", "x", "/home/agent"]}, {"argv": ["cp", "a", "b"]}],
			"paths": [{"asked": "/home/agent", "resolved": "/home/agent", "op": "read", "area": "home"}],
		})
}
