package sandgate.rules.secrets.process_memory_test

import data.sandgate.testing

test_another_process_s_environment_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.process_memory.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/proc/1/environ"]}],
			"paths": [
				{
					"asked": "/proc/1/environ",
					"resolved": "/proc/1/environ",
					"op": "read",
					"area": "proc",
				},
			],
		})
}

test_a_way_round_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.process_memory.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/proc/self/root/etc/hostname"]}],
			"paths": [
				{
					"asked": "/proc/self/root/etc/hostname",
					"resolved": "/proc/self/root/etc/hostname",
					"op": "read",
					"area": "proc",
				},
			],
		})
}

test_any_process_s_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.process_memory.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", null], "known": ["", "/proc/*/environ"], "dynamic": ["", "glob"]}],
			"paths": [
				{
					"asked": "/proc/*/environ",
					"resolved": "/proc/*/environ",
					"op": "read",
					"area": "proc",
				},
			],
		})
}

test_a_kernel_setting_is_found if {
	"deny" in testing.effects(data.sandgate.rules.secrets.process_memory.findings)
		with input as testing.asks({
			"commands": [
				{
					"argv": ["echo", "1"],
					"redirects": [{"op": ">", "fd": null, "path": "/proc/sys/vm/drop_caches", "dynamic": false}],
				},
			],
			"paths": [
				{
					"asked": "/proc/sys/vm/drop_caches",
					"resolved": "/proc/sys/vm/drop_caches",
					"op": "write",
					"area": "proc",
				},
			],
		})
}

test_the_machine_is_let_pass if {
	count(data.sandgate.rules.secrets.process_memory.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/proc/cpuinfo"]}],
			"paths": [{"asked": "/proc/cpuinfo", "resolved": "/proc/cpuinfo", "op": "read", "area": "proc"}],
		})
}

test_this_process_is_let_pass if {
	count(data.sandgate.rules.secrets.process_memory.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["grep", "VmRSS", "/proc/self/status"]}],
			"paths": [
				{
					"asked": "/proc/self/status",
					"resolved": "/proc/self/status",
					"op": "read",
					"area": "proc",
				},
			],
		})
}
