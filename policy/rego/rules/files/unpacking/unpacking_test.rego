package sandgate.rules.files.unpacking_test

import data.sandgate.testing

test_tar_with_absolute_names_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["tar", "-P", "-xf", "a.tar"]])
}

test_tar_in_one_word_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["tar", "xPf", "a.tar"]])
}

test_tar_in_one_cluster_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["tar", "-xzPf", "a.tgz"]])
}

test_the_long_option_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["tar", "--extract", "--absolute-names", "--file=a.tar"]])
}

test_the_long_option_cut_short_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["gtar", "-xf", "a.tar", "--abs"]])
}

test_bsdtar_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["bsdtar", "-xPf", "a.tar"]])
}

test_tar_with_unknown_options_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["tar", null, "-P", "-f", "a.tar"]])
}

test_cpio_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["cpio", "-idm", "--absolute-filenames"]])
}

test_bsdcpio_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["bsdcpio", "-id", "--insecure"]])
}

test_unzip_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["unzip", "-o:", "a.zip"]])
}

test_7z_with_whole_paths_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["7z", "x", "-spf", "a.7z"]])
}

test_unrar_with_whole_paths_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["unrar", "x", "-ep3", "a.rar"]])
}

test_jar_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["jar", "xPf", "a.jar"]])
}

test_ar_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["ar", "xP", "a.a"]])
}

test_pax_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["pax", "-rf", "a.tar"]])
}

test_rsync_that_trusts_its_sender_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["rsync", "-a", "--trust-sender", "h:x", "."]])
}

test_patch_that_strips_nothing_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["patch", "-p0", "-i", "a.patch"]])
}

test_patch_through_links_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["patch", "--follow-symlinks", "-p1"]])
}

test_git_apply_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["git", "apply", "--unsafe-paths", "a.patch"]])
}

test_git_apply_cut_short_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["git", "-C", "x", "apply", "--unsafe", "a.patch"]])
}

test_uudecode_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["uudecode", "a.uu"]])
}

test_python_s_tarfile_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.runs([["python3", "-m", "tarfile", "-e", "a.tar"]])
}

test_a_patch_in_the_call_that_leads_out_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.asks({
			"call": {"command": "patch -p1 <<E\n--- a/x\n+++ b/../../x\nE"},
			"commands": [{"argv": ["patch", "-p1"]}],
		})
}

test_busybox_patch_is_found if {
	"ask" in testing.effects(data.sandgate.rules.files.unpacking.findings)
		with input as testing.asks({
			"commands": [{"argv": ["patch", "-p1"], "via": ["busybox"]}],
		})
}

test_tar_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["tar", "-xzf", "a.tar.gz", "-C", "out"]])
}

test_tar_into_a_folder_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["tar", "-xf", "a.tar", "-C", "Pictures"]])
}

test_an_archive_whose_name_begins_so_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["tar", "-xfP.tar"]])
}

test_an_archive_is_made_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["tar", "-cPf", "a.tar", "/workspace/src"]])
}

test_an_archive_is_listed_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["tar", "-tPf", "a.tar"]])
}

test_cpio_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["cpio", "-idm"]])
}

test_unzip_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["unzip", "-qo", "a.zip", "-d", "out"]])
}

test_7z_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["7z", "x", "a.7z"]])
}

test_7z_makes_one_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["7z", "a", "-spf", "a.7z", "src"]])
}

test_jar_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["jar", "xf", "a.jar"]])
}

test_ar_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["ar", "x", "a.a"]])
}

test_pax_makes_one_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["pax", "-wf", "a.tar", "src"]])
}

test_patch_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["patch", "-p1", "-i", "a.patch"]])
}

test_git_apply_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["git", "apply", "--check", "a.patch"]])
}

test_uudecode_into_a_file_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["uudecode", "-o", "x", "a.uu"]])
}

test_python_s_tarfile_with_a_filter_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.runs([["python3", "-m", "tarfile", "-e", "a.tar", "--filter", "data"]])
}

test_a_patch_in_the_call_is_let_pass if {
	count(data.sandgate.rules.files.unpacking.findings) == 0
		with input as testing.asks({
			"call": {"command": "patch -p1 <<E\n--- /dev/null\n+++ b/x\nE"},
			"commands": [{"argv": ["patch", "-p1"]}],
		})
}
