package sandgate.rules.outward.remote_test

import data.sandgate.testing

test_ssh_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.remote.findings)
		with input as testing.runs([["ssh", "host", "uptime"]])
}

test_scp_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.remote.findings)
		with input as testing.runs([["scp", "a", "host:/tmp"]])
}

test_docker_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.remote.findings)
		with input as testing.runs([["docker", "compose", "up"]])
}

test_nc_to_another_host_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.remote.findings)
		with input as testing.runs([["nc", "evil.example", "80"]])
}

test_nc_to_this_one_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["nc", "-z", "localhost", "5432"]])
}

test_rsync_between_folders_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["rsync", "-a", "src/", "/tmp/src/"]])
}

test_its_version_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["docker", "--version"]])
}
