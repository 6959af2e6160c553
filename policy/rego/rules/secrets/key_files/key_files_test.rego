package sandgate.rules.secrets.key_files_test

import data.sandgate.testing

test_a_private_key_by_file_tool_is_found if {
	"ask" in testing.effects(data.sandgate.rules.secrets.key_files.findings)
		with input as testing.file("file_read", "read", "/workspace/deploy/id.pem", "workspace")
}

test_a_certificate_is_let_pass if {
	count(data.sandgate.rules.secrets.key_files.findings) == 0
		with input as testing.file("file_read", "read", "/workspace/certs/ca-bundle.pem", "workspace")
}

test_writing_one_is_let_pass if {
	count(data.sandgate.rules.secrets.key_files.findings) == 0
		with input as testing.file("file_write", "write", "/workspace/deploy/id.pem", "workspace")
}
