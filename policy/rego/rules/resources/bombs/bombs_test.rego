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
