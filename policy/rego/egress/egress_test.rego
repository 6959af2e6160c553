package sandgate.egress_test

import data.sandgate.egress

_entry := {
	"given": "a.test",
	"asking": {"host": "a.test", "ask": true},
	"host": "a.test",
	"kind": "exact",
	"ports": [80, 443],
	"methods": [],
	"paths": [],
	"raw": false,
	"ask": false,
	"roles": [],
}

_config(entries) := object.union(data.sandgate_config, {"egress": entries})

_asked(host, port, method, path) := {
	"version": 1,
	"tool": "network",
	"caller": {"id": "ann", "roles": ["dev"]},
	"session": {"name": "s", "environment": "base", "home": "/home/agent", "workspaces": ["/workspace"]},
	"egress": {"host": host, "port": port, "method": method, "path": path},
}

_effect(entries, question) := answer.effect if {
	answer := egress.decision with input as question with data.sandgate_config as _config(entries)
}

test_a_listed_host_is_let_pass if _effect([_entry], _asked("a.test", 443, "GET", "/")) == "allow"

test_any_other_is_found if _effect([_entry], _asked("b.test", 443, "GET", "/")) == "deny"

test_any_other_port_is_found if _effect([_entry], _asked("a.test", 8443, "GET", "/")) == "deny"

test_below_is_not_the_apex if {
	under := object.union(_entry, {"kind": "under"})
	_effect([under], _asked("x.a.test", 443, "", "")) == "allow"
	_effect([under], _asked("a.test", 443, "", "")) == "deny"
	_effect([under], _asked("xa.test", 443, "", "")) == "deny"
}

test_any_name_is_no_address if {
	any_name := object.union(_entry, {"kind": "any", "host": "", "ask": true})
	_effect([any_name], _asked("x.y", 443, "GET", "/")) == "ask"
	_effect([any_name], _asked("localhost", 443, "GET", "/")) == "deny"
	_effect([any_name], _asked("10.0.0.1", 443, "GET", "/")) == "deny"
	_effect([any_name], _asked("fd00::1", 443, "GET", "/")) == "deny"
	_effect([any_name, _entry], _asked("a.test", 443, "GET", "/")) == "allow"
}

test_methods_and_paths_bind_requests if {
	bound := object.union(_entry, {"methods": ["GET"], "paths": [`^(?:/v1/[^/]*)$`]})
	_effect([bound], _asked("a.test", 443, "GET", "/v1/x")) == "allow"
	_effect([bound], _asked("a.test", 443, "", "")) == "allow"
	_effect([bound], _asked("a.test", 443, "POST", "/v1/x")) == "deny"
	_effect([bound], _asked("a.test", 443, "GET", "/v1/x/y")) == "deny"
	_effect([bound], _asked("a.test", 443, "GET", "/v1/%2e%2E")) == "deny"
	_effect([bound], _asked("a.test", 443, "GET", "/v1/%252e%252e")) == "deny"
	_effect([bound], _asked("a.test", 443, "GET", "/v1/..%00")) == "deny"
	_effect([bound], _asked("a.test", 443, "GET", "/v1/.x%20y")) == "allow"
}

test_unread_bytes_are_no_request if {
	raw := object.union(_entry, {"raw": true})
	_effect([raw], _asked("a.test", 443, "", "")) == "allow"
	_effect([raw], _asked("a.test", 443, "GET", "/")) == "deny"
}

test_a_role_has_its_own_entries if {
	mine := object.union(_entry, {"roles": ["dev", "other"]})
	theirs := object.union(_entry, {"roles": ["admin"]})
	_effect([mine], _asked("a.test", 443, "GET", "/")) == "allow"
	_effect([theirs], _asked("a.test", 443, "GET", "/")) == "deny"
	held := egress.list with input as _asked("", 0, "", "") with data.sandgate_config as _config([theirs, mine])
	held.entries == ["a.test"]
}

test_an_operators_rules_add_and_lift_nothing if {
	findings := {"house": {"egress_findings": {{"effect": "deny", "reason": "no", "help": "none"}}}}
	question := _asked("a.test", 443, "GET", "/")
	told := egress.decision with input as question
		with data.sandgate_config as _config([_entry])
		with data.sandgate_custom as findings
	told.effect == "deny"
	[rule.id | some rule in told.rules] == ["custom.house"]
	held := egress.list with input as question
		with data.sandgate_config as _config([_entry, object.union(_entry, {"raw": true, "given": "tcp://a.test:1"})])
		with data.sandgate_custom as findings
	held.entries == [{"host": "a.test", "ask": true}, "tcp://a.test:1"]
}

test_what_is_no_question_is_denied if {
	_effect([_entry], {}) == "deny"
	_effect([_entry], _asked("a.test", "443", "GET", "/")) == "deny"
	_effect([_entry], _asked("a.test", 443.5, "GET", "/")) == "deny"
	_effect([_entry], object.union(_asked("a.test", 443, "GET", "/"), {"tool": "shell"})) == "deny"
}

test_what_is_not_listed_says_how_it_would_be if {
	answer := egress.decision with input as _asked("b.test", 443, "", "") with data.sandgate_config as _config([])
	answer.rules[0].help == "A person can add it: sandgate allow b.test"
}

test_a_name_without_a_dot_is_not_taken_for_a_command if {
	answer := egress.decision with input as _asked("ssh", 80, "", "") with data.sandgate_config as _config([])
	answer.rules[0].help == ""
}
