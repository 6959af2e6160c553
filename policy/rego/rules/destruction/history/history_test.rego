package sandgate.rules.destruction.history_test

import data.sandgate.testing

test_clean_of_ignored_files_is_found if {
	"ask" in testing.effects(data.sandgate.rules.destruction.history.findings)
		with input as testing.asks({"commands": [{"argv": ["git", "-C", "x", "clean", "-xfd"]}]})
}

test_filter_branch_is_found if {
	"ask" in testing.effects(data.sandgate.rules.destruction.history.findings)
		with input as testing.asks({"commands": [{"argv": ["git", "filter-branch", "--force", "HEAD"]}]})
}

test_gc_at_once_is_found if {
	"ask" in testing.effects(data.sandgate.rules.destruction.history.findings)
		with input as testing.asks({"commands": [{"argv": ["git", "gc", "--prune=now"]}]})
}

test_a_dry_run_is_let_pass if {
	count(data.sandgate.rules.destruction.history.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["git", "clean", "-x", "--dry-run"]}]})
}

test_listing_the_reflog_is_let_pass if {
	count(data.sandgate.rules.destruction.history.findings) == 0
		with input as testing.asks({"commands": [{"argv": ["git", "reflog"]}]})
}
