package sandgate.rules.destruction.devices_test

import data.sandgate.testing

test_mkfs_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.devices.findings)
		with input as testing.runs([["mkfs.ext4", "/dev/sda"]])
}

test_dd_onto_a_disk_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.devices.findings)
		with input as testing.asks({
			"commands": [{"argv": ["dd", "if=/dev/zero", "of=/dev/sda"]}],
			"paths": [{"asked": "/dev/sda", "resolved": "/dev/sda", "op": "write", "area": "system"}],
		})
}

test_a_redirection_onto_a_disk_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.devices.findings)
		with input as testing.asks({
			"commands": [
				{
					"argv": ["echo", "x"],
					"redirects": [{"op": ">", "fd": null, "path": "/dev/sda", "dynamic": false}],
				},
			],
			"paths": [{"asked": "/dev/sda", "resolved": "/dev/sda", "op": "write", "area": "system"}],
		})
}

test_reading_a_disk_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.devices.findings)
		with input as testing.asks({
			"commands": [{"argv": ["cat", "/dev/sda"]}],
			"paths": [{"asked": "/dev/sda", "resolved": "/dev/sda", "op": "read", "area": "system"}],
		})
}

test_the_usual_sinks_is_let_pass if {
	count(data.sandgate.rules.destruction.devices.findings) == 0
		with input as testing.asks({
			"commands": [
				{
					"argv": ["make"],
					"redirects": [
						{"op": ">", "fd": null, "path": "/dev/null", "dynamic": false},
						{"op": ">>", "fd": null, "path": "/dev/stderr", "dynamic": false},
					],
				},
			],
		})
}

test_dd_into_a_file_is_let_pass if {
	count(data.sandgate.rules.destruction.devices.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["dd", "if=/dev/zero", "of=/tmp/x", "bs=1M", "count=1"]}],
			"paths": [{"asked": "/tmp/x", "resolved": "/tmp/x", "op": "write", "area": "tmp"}],
		})
}
