package sandgate.rules.code.program_option_test

import data.sandgate.testing

test_rg_pre_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.program_option.findings)
		with input as testing.runs([["rg", "--pre", "sh", "foo"]])
}

test_sed_e_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.program_option.findings)
		with input as testing.runs([["sed", "-n", "1e id", "f"]])
}

test_sed_s_e_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.program_option.findings)
		with input as testing.runs([["sed", "s/x/id/e", "f"]])
}

test_sed_w_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.program_option.findings)
		with input as testing.runs([["sed", "w /etc/cron.d/x", "f"]])
}

test_vim_c_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.program_option.findings)
		with input as testing.runs([["vim", "-es", "-c", ":!id", "-c", "q"]])
}

test_system_in_awk_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.program_option.findings)
		with input as testing.runs([["awk", "BEGIN{system(\"id\")}"]])
}

test_tar_to_command_is_found if {
	"deny" in testing.effects(data.sandgate.rules.code.program_option.findings)
		with input as testing.runs([["tar", "xf", "a.tar", "--to-command=sh"]])
}

test_sed_prints_lines_is_let_pass if {
	count(data.sandgate.rules.code.program_option.findings) == 0
		with input as testing.runs([["sed", "-n", "1,40p", "f"]])
}

test_sed_with_words_that_look_like_commands_is_let_pass if {
	count(data.sandgate.rules.code.program_option.findings) == 0
		with input as testing.runs([["sed", "-i", "s/write e/read w/g", "f"]])
}

test_awk_prints_a_column_is_let_pass if {
	count(data.sandgate.rules.code.program_option.findings) == 0
		with input as testing.runs([["awk", "{print $1}", "f"]])
}

test_tar_with_zstd_is_let_pass if {
	count(data.sandgate.rules.code.program_option.findings) == 0
		with input as testing.runs([["tar", "-I", "zstd", "-xf", "a.tar.zst"]])
}

test_rg_is_let_pass if {
	count(data.sandgate.rules.code.program_option.findings) == 0
		with input as testing.runs([["rg", "-n", "foo", "src"]])
}

test_gdb_with_the_speed_of_a_line_is_found if {
	"ask" in testing.effects(data.sandgate.rules.code.program_option.findings)
		with input as testing.runs([["gdb", "-b", "9600", "./app"]])
}

test_lldb_in_a_batch_is_let_pass if {
	count(data.sandgate.rules.code.program_option.findings) == 0
		with input as testing.runs([["lldb", "-b", "-o", "run", "./app"]])
}
