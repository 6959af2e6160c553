package sandgate.rules.resources.bombs_test

import data.sandgate.testing

test_a_bomb_is_found if {
	"deny" in testing.effects(data.sandgate.rules.resources.bombs.findings)
		with input as testing.asks({
			"script": {
				"functions": [
					"b"
				]
			},
			"commands": [
				{
					"argv": [
						"b"
					],
					"via": [
						"function b"
					]
				},
				{
					"argv": [
						"b"
					],
					"via": [
						"function b"
					]
				}
			]
		})
}

test_one_recursion_is_let_pass if {
	count(data.sandgate.rules.resources.bombs.findings) == 0
		with input as testing.asks({
			"script": {
				"functions": [
					"b"
				]
			},
			"commands": [
				{
					"argv": [
						"b"
					],
					"via": [
						"function b"
					]
				}
			]
		})
}

test_a_miner_is_found if {
	"deny" in testing.effects(data.sandgate.rules.resources.bombs.findings)
		with input as testing.asks({"commands": [{"argv": ["minerd"]}]})
}

test_the_end_of_all_processes_is_found if {
	"ask" in testing.effects(data.sandgate.rules.resources.bombs.findings)
		with input as testing.runs([["kill", "-9", "-1"]])
}

test_a_hangup_is_let_pass if {
	count(data.sandgate.rules.resources.bombs.findings) == 0
		with input as testing.runs([["kill", "-1", "1234"]])
}
