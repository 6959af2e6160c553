# METADATA
# title: What may leave a sandbox
# description: |
#   Two answers for a question about the network. `list` is what the gate of a session holds: the operator's entries
#   that its caller's roles have, worked out once, for it depends on nothing else. `decision` is for one request, or for
#   a host where method and path are empty. Operators' own egress_findings are about requests, so where there are any,
#   the gate holds entries that ask, and each request is put here; bytes that nobody reads (tcp://) are no requests.
package sandgate.egress

default decision := {
	"effect": "deny",
	"rules": [{
		"id": "default.deny",
		"effect": "deny",
		"reason": "The question about the network could not be judged, so nothing leaves.",
		"help": "Ask about a host name and a port.",
		"grant": "",
	}],
	"limits": {"timeout_s": null, "output_bytes": null},
	"access": {"read": [], "write": [], "execute": []},
	"revision": "",
}

# METADATA
# title: The answer to a request, in the shape of every decision
# entrypoint: true
decision := {
	"effect": data.sandgate.strictest({entry[2] | some entry in _entries}),
	"rules": [_rule(entry) | some entry in sort(_entries)],
	"limits": {"timeout_s": null, "output_bytes": null},
	"access": {"read": [], "write": [], "execute": []},
	"revision": data.sandgate.settings.all.revision,
} if {
	_sound
	is_array(_matching)
}

default list := {"entries": [], "revision": ""}

# METADATA
# title: What a gate holds for a caller
# entrypoint: true
list := {
	"entries": [_held(entry) | some entry in _mine],
	"revision": data.sandgate.settings.all.revision,
} if {
	_sound
}

_sound if {
	input.version == 1
	input.tool == "network"
	is_string(input.caller.id)
	is_array(input.caller.roles)
	asked := input.egress
	[type_name(asked.host), type_name(asked.port), type_name(asked.method), type_name(asked.path)] == [
		"string", "number", "string", "string",
	]
	floor(asked.port) == asked.port
	is_array(data.sandgate.settings.all.egress)
}

_mine := [entry |
	some entry in data.sandgate.settings.all.egress
	_concerns(entry)
]

_concerns(entry) if entry.roles == []

_concerns(entry) if {
	some role in entry.roles
	role in input.caller.roles
}

_held(entry) := entry.asking if {
	_judged
	not entry.raw
}

_held(entry) := entry.given if not _judged

_held(entry) := entry.given if entry.raw

_judged := count([1 |
	some package_name
	some _ in [data.sandgate_custom[package_name].egress_findings]
]) > 0

_matching := [entry |
	_sound
	some entry in _mine
	_names(entry, input.egress.host)
	input.egress.port in entry.ports
	_has_method(entry)
	_has_path(entry)
]

_names(entry, host) if {
	entry.kind == "exact"
	entry.host == host
}

_names(entry, host) if {
	entry.kind == "under"
	endswith(host, concat("", [".", entry.host]))
}

_names(entry, host) if {
	entry.kind == "any"
	contains(host, ".")
	not regex.match(`^[0-9.]+$|:`, host)
}

# Bytes that nobody reads are no request.
_has_method(_) if input.egress.method == ""

_has_method(entry) if {
	not entry.raw
	entry.methods == []
}

_has_method(entry) if input.egress.method in entry.methods

_has_path(_) if input.egress.path == ""

_has_path(entry) if entry.paths == []

# An origin may decode or fold these before it looks a path up, so what was matched is not what is served.
_has_path(entry) if {
	not regex.match(`(?i)%2e|%2f|%5c|[\\⁄∕]|//|/\.{1,2}([^\w.~!$&'()*+,=:@-]|$)`, input.egress.path)
	not regex.match(_spelt_otherwise, input.egress.path)
	some pattern in entry.paths
	regex.match(pattern, input.egress.path)
}

# A dot or a slash encoded twice, overlong, or in full width, and what ends a path for some.
_spelt_otherwise := concat("|", [
	`(?i)%25[0-9a-f]{2}|%25u[0-9a-f]{4}|%u[0-9a-f]{4}|%c[01]|%e0%[89]|%f0%8|%[01][0-9a-f]|%7f`,
	`%ef%bc%8[ef]|%ef%bc%bc|%e2%80%a[45]|%e2%81%84|%e2%88%95|[．／＼․‥]`,
])

_where := concat(":", [input.egress.host, format_int(input.egress.port, 10)]) if _sound

_entries contains [0, "egress.not_allowed", "deny", reason, help, ""] if {
	count(_matching) == 0
	reason := concat("", [substring(_where, 0, 260), " is not on the list of allowed hosts."])
	help := _how_to_add
}

# `sandgate allow ssh` would be about the command.
default _how_to_add := ""

_how_to_add := concat("", ["A person can add it: sandgate allow ", substring(input.egress.host, 0, 253)]) if {
	regex.match(`\.([a-z][^.]*|\d+)$`, input.egress.host)
}

_entries contains [1, "egress.ask", "ask", reason, help, grant] if {
	count(_matching) > 0
	count([1 | some entry in _matching; not entry.ask]) == 0
	reason := concat("", [substring(_where, 0, 260), " is a host that a person is asked about."])
	help := "Wait for the answer, or use a host that is on the list."
	grant := substring(input.egress.host, 0, 253)
}

_entries contains [_rank(finding.effect), id, finding.effect, substring(finding.reason, 0, 300), finding.help, ""] if {
	some package_name
	findings := data.sandgate_custom[package_name].egress_findings
	some finding in data.sandgate.understood(findings)
	id := concat(".", ["custom", package_name])
}

_rank(effect) := 1 if effect == "ask"

_rank(effect) := 0 if effect != "ask"

_rule(entry) := {"id": entry[1], "effect": entry[2], "reason": entry[3], "help": entry[4], "grant": entry[5]}
