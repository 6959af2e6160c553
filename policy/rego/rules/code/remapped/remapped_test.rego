package sandgate.rules.code.remapped_test

import data.sandgate.testing

test_hash_p_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.remapped.findings)
		with input as testing.runs([["hash", "-p", "/workspace/evil", "ls"]])
}

test_a_function_called_ls_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.remapped.findings)
		with input as testing.asks({"commands": [{"argv": ["ls"]}], "script": {"functions": ["ls"]}})
}

test_an_alias_called_git_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.remapped.findings)
		with input as testing.asks({"commands": [{"argv": ["alias", "git=x"]}], "script": {"aliases": ["git"]}})
}

test_a_function_of_its_own_is_let_pass if {
	count(data.sandgate.rules.code.remapped.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["greet", "bob"]}], "script": {"functions": ["greet"]}})
}

test_hash_r_is_let_pass if {
	count(data.sandgate.rules.code.remapped.findings) == 0
		with input as testing.runs([["hash", "-r"]])
}
