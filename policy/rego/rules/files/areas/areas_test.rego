package sandgate.rules.files.areas_test

import data.sandgate.testing

test_a_system_file_is_found if {
	"deny" in testing.effects(data.sandgate.rules.files.areas.findings)
		with input as testing.file("file_write", "write", "/etc/hosts", "system")
}

test_a_process_is_found if {
	"deny" in testing.effects(data.sandgate.rules.files.areas.findings)
		with input as testing.file("file_read", "read", "/proc/1/status", "proc")
}

test_a_download_over_a_system_file_is_found if {
	"deny" in testing.effects(data.sandgate.rules.files.areas.findings)
		with input as testing.asks({
			"commands": [{"argv": ["curl", "-o", "/etc/passwd", "http://localhost"]}],
			"paths": [{"asked": "/etc/passwd", "resolved": "/etc/passwd", "op": "write", "area": "system"}],
		})
}

test_reading_a_system_file_is_let_pass if {
	count(data.sandgate.rules.files.areas.findings) == 0
		with input as testing.file("file_read", "read", "/etc/os-release", "system")
}

test_tmp_is_let_pass if {
	count(data.sandgate.rules.files.areas.findings) == 0
		with input as testing.file("file_write", "write", "/tmp/x", "tmp")
}

test_a_folder_that_is_not_known_is_let_pass if {
	count(data.sandgate.rules.files.areas.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["touch", "x"], "cwd": null}],
			"paths": [{"asked": "x", "resolved": "", "op": "write", "area": "system"}],
		})
}
