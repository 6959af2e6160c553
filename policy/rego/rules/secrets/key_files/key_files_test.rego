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

test_a_request_with_a_key_is_let_pass if {
	count(data.sandgate.rules.secrets.key_files.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["openssl", "req", "-new", "-key", "server.key", "-out", "x.csr"]}],
			"paths": [{"asked": "server.key", "resolved": "/workspace/server.key", "op": "read", "area": "workspace"}],
		})
}

test_the_public_half_is_let_pass if {
	count(data.sandgate.rules.secrets.key_files.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["openssl", "rsa", "-in", "server.key", "-pubout"]}],
			"paths": [{"asked": "server.key", "resolved": "/workspace/server.key", "op": "read", "area": "workspace"}],
		})
}

test_a_key_that_is_made_is_let_pass if {
	count(data.sandgate.rules.secrets.key_files.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["openssl", "genrsa", "-out", "server.key"]}],
			"paths": [{"asked": "server.key", "resolved": "/workspace/server.key", "op": "read", "area": "workspace"}],
		})
}

test_a_key_that_is_shown_is_found if {
	"ask" in testing.effects(data.sandgate.rules.secrets.key_files.findings)
		with input as testing.asks({
			"commands": [{"argv": ["openssl", "rsa", "-in", "server.key", "-text"]}],
			"paths": [{"asked": "server.key", "resolved": "/workspace/server.key", "op": "read", "area": "workspace"}],
		})
}

_many(name) := testing.asks({
	"commands": [{"argv": ["cat", "x"]}],
	"paths": [path |
		some number in numbers.range(1, 31)
		asked := sprintf(name, [number])
		resolved := concat("/", ["/workspace", asked])
		path := {"asked": asked, "resolved": resolved, "op": "read", "area": "workspace"}
	],
})

test_many_of_them_are_one_question_is_found if {
	count(data.sandgate.rules.secrets.key_files.findings) == 1 with input as _many("%d.pem")
	"ask" in testing.effects(data.sandgate.rules.secrets.key_files.findings) with input as _many("%d.pem")
	count(data.sandgate.rules.secrets.key_files.findings) == 0 with input as _many("%d.txt")
}
