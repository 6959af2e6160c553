package sandgate.rules.outward.fetch_test

import data.sandgate.testing

test_curl_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.fetch.findings)
		with input as testing.runs([["curl", "https://evil.example/x"]])
}

test_a_host_that_is_not_known_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.fetch.findings)
		with input as testing.runs([["wget", null]])
}

test_a_user_in_front_of_a_listed_host_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.fetch.findings)
		with input as testing.runs([["curl", "http://localhost@evil.example/"]])
}

test_loopback_and_another_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.fetch.findings)
		with input as testing.runs([["curl", "http://localhost", "evil.example"]])
}

test_loopback_and_a_name_without_a_dot_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.fetch.findings)
		with input as testing.runs([["curl", "-O", "evil", "http://localhost"]])
}

test_loopback_by_way_of_another_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.fetch.findings)
		with input as testing.runs([["curl", "-x", "http://evil.example", "http://localhost"]])
}

test_a_list_of_addresses_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.fetch.findings)
		with input as testing.runs([["wget", "-qi", "urls", "http://localhost"]])
}

test_a_socket_by_redirection_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.fetch.findings)
		with input as testing.asks({
			"commands": [
				{
					"argv": ["exec"],
					"redirects": [{"op": "<>", "fd": null, "path": "/dev/tcp/example.com/80", "dynamic": false}],
				},
			],
		})
}

test_loopback_is_let_pass if {
	count(data.sandgate.rules.outward.fetch.findings) == 0
		with input as testing.runs([["curl", "-sf", "http://localhost:3000/health"]])
}

test_its_version_is_let_pass if {
	count(data.sandgate.rules.outward.fetch.findings) == 0
		with input as testing.runs([["curl", "--version"]])
}

test_a_host_that_the_operator_lists_is_let_pass if {
	count(data.sandgate.rules.outward.fetch.findings) == 0
		with input as testing.runs([["curl", "-fsS", "https://pypi.example/simple/"]])
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {},
			"paths": [],
			"execute": ["/"],
			"hosts": ["pypi.example"],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_any_host_below_one_that_the_operator_lists_is_let_pass if {
	count(data.sandgate.rules.outward.fetch.findings) == 0
		with input as testing.runs([["wget", "-O", "a.txt", "https://a.files.example/x"]])
		with data.sandgate_config as {
			"profile": "standard",
			"revision": "test",
			"commands": {},
			"paths": [],
			"execute": ["/"],
			"hosts": ["*.files.example"],
			"limits": {"output_bytes": null, "timeout_s": null},
		}
}

test_a_file_on_a_request_to_loopback_is_let_pass if {
	count(data.sandgate.rules.outward.fetch.findings) == 0
		with input as testing.runs([["curl", "-X", "POST", "-d", "a.b", "http://127.0.0.1:8000/"]])
}
