package sandgate.rules.destruction.roots_test

import data.sandgate.testing

test_the_whole_workspace_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["rm", "-rf", "/workspace"]])
}

test_the_root_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["rm", "-fr", "--no-preserve-root", "/"]])
}

test_a_dot_in_the_workspace_s_root_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["rm", "-r", "."]])
}

test_a_climb_to_the_root_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.asks({"commands": [{"argv": ["rm", "-r", "../.."], "cwd": "/workspace/src"}]})
}

test_a_star_beneath_the_workspace_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.asks({
			"commands": [{"argv": ["rm", "-rf", null], "dynamic": ["", "", "glob"], "known": ["", "", "*"]}],
		})
}

test_find_delete_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["find", "/", "-maxdepth", "1", "-name", "workspace", "-delete"]])
}

test_find_without_a_test_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["find", ".", "-delete"]])
}

test_modes_of_the_whole_system_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["chmod", "-R", "777", "/"]])
}

test_the_long_option_cut_short_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["rm", "--recurs", "-f", "/home"]])
}

test_a_system_file_overwritten_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["shred", "/dev/sda"]])
}

test_a_folder_in_the_workspace_is_let_pass if {
	count(data.sandgate.rules.destruction.roots.findings) == 0
		with input as testing.runs([["rm", "-rf", "build", "dist"]])
}

test_files_by_pattern_is_let_pass if {
	count(data.sandgate.rules.destruction.roots.findings) == 0
		with input as testing.asks({
			"commands": [{"argv": ["rm", "-f", null], "dynamic": ["", "", "glob"], "known": ["", "", "*.pyc"]}],
		})
}

test_a_glob_in_a_folder_is_let_pass if {
	count(data.sandgate.rules.destruction.roots.findings) == 0
		with input as testing.asks({
			"commands": [
				{
					"argv": ["rm", "-rf", null],
					"dynamic": ["", "", "glob"],
					"known": ["", "", "build/*"],
				},
			],
		})
}

test_find_with_a_name_is_let_pass if {
	count(data.sandgate.rules.destruction.roots.findings) == 0
		with input as testing.runs([["find", ".", "-name", "*.pyc", "-delete"]])
}

test_a_plain_find_from_the_root_is_let_pass if {
	count(data.sandgate.rules.destruction.roots.findings) == 0
		with input as testing.runs([["find", "/", "-name", "libssl*"]])
}

test_readable_for_others_is_let_pass if {
	count(data.sandgate.rules.destruction.roots.findings) == 0
		with input as testing.runs([["chmod", "-R", "u+rwX,go+rX", "/workspace"]])
}

test_no_rights_at_all_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["chmod", "-R", "000", "/workspace"]])
}

test_files_that_stay_the_owner_s_is_let_pass if {
	count(data.sandgate.rules.destruction.roots.findings) == 0
		with input as testing.runs([["chown", "-R", "agent:agent", "/workspace"]])
}

test_another_owner_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["chown", "-R", "nobody", "/workspace"]])
}

test_all_moved_elsewhere_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.runs([["mv", "/workspace", "/tmp/x"]])
}

test_something_moved_into_it_is_let_pass if {
	count(data.sandgate.rules.destruction.roots.findings) == 0
		with input as testing.runs([["mv", "/tmp/x", "/workspace"]])
}

test_all_that_find_lists_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.asks({"commands": [
			{"argv": ["find", "/workspace"]},
			{"argv": ["rm", null], "dynamic": ["", "input"], "via": ["xargs"]},
		]})
}

test_all_that_find_hands_over_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.asks({"commands": [
			{"argv": ["find", "/workspace", "-exec", "rm", "{}", ";"]},
			{"argv": ["rm", null], "dynamic": ["", "input"], "via": ["find -exec"]},
		]})
}

test_what_find_looks_for_by_name_is_let_pass if {
	count(data.sandgate.rules.destruction.roots.findings) == 0
		with input as testing.asks({"commands": [
			{"argv": ["find", "/workspace", "-name", "*.orig"]},
			{"argv": ["rm", null], "dynamic": ["", "input"], "via": ["xargs"]},
		]})
}

test_a_list_cut_to_nothing_is_found if {
	"deny" in testing.effects(data.sandgate.rules.destruction.roots.findings)
		with input as testing.asks({"commands": [
			{"argv": ["find", "/workspace"]},
			{"argv": ["truncate", "-s", "0", null], "dynamic": ["", "", "", "input"], "via": ["xargs"]},
		]})
}
