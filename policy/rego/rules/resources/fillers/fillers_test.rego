package sandgate.rules.resources.fillers_test

import data.sandgate.testing

test_endless_cat_is_found if {
	"ask" in testing.effects(data.sandgate.rules.resources.fillers.findings)
		with input as testing.asks({
			"commands": [
				{
					"argv": [
						"cat",
						"/dev/zero"
					],
					"redirects": [
						{
							"op": ">",
							"fd": null,
							"path": "/tmp/x",
							"dynamic": false
						}
					]
				}
			]
		})
}

test_a_huge_head_is_found if {
	"ask" in testing.effects(data.sandgate.rules.resources.fillers.findings)
		with input as testing.asks({
			"commands": [
				{
					"argv": [
						"head",
						"-c",
						"100G",
						"/dev/zero"
					]
				}
			],
			"paths": [
				{
					"asked": "x",
					"resolved": "/workspace/x",
					"op": "write",
					"area": "workspace"
				}
			]
		})
}

test_endless_into_nothing_is_let_pass if {
	count(data.sandgate.rules.resources.fillers.findings) == 0
		with input as testing.asks({
			"commands": [
				{
					"argv": [
						"yes"
					],
					"redirects": [
						{
							"op": ">",
							"fd": null,
							"path": "/dev/null",
							"dynamic": false
						}
					]
				}
			]
		})
}

test_a_bounded_dd_is_let_pass if {
	count(data.sandgate.rules.resources.fillers.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["dd", "if=/dev/zero", "of=x", "count=1"]}]})
}
