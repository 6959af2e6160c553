# METADATA
# title: The decision
# description: |
#   Every call becomes one question (`input`) and gets one answer: allow, ask a person, or deny. Each rule folder adds
#   findings; the strictest wins. What is not understood is denied. Operators' data lies under data.sandgate_config and
#   their own rules under data.sandgate_custom, apart from ours: they can add to these rules and replace none.
package sandgate

import data.sandgate.operator

default decision := {
	"effect": "deny",
	"rules": [{
		"id": "default.deny",
		"effect": "deny",
		"reason": "The question could not be judged, so nothing runs.",
		"help": "Call one of the listed tools with the arguments it describes.",
	}],
	"limits": {"timeout_s": null, "output_bytes": null},
	"access": {"read": [], "write": [], "execute": []},
	"revision": "",
}

# METADATA
# title: The answer to input
# entrypoint: true
decision := {
	"effect": strictest({entry[2] | some entry in _entries}),
	"rules": [_rule(entry) | some entry in sort(_entries)],
	"limits": data.sandgate.settings.all.limits,
	"access": data.sandgate.access.paths(data.sandgate.settings.all),
	"revision": data.sandgate.settings.all.revision,
} if {
	_judged
}

_judged if not data.sandgate.shape.sound

# Were these undefined there would be nothing to forbid anything: then the default above is the answer.
_judged if {
	data.sandgate.shape.sound
	is_array(data.sandgate.index.found)
	is_array(_custom)
}

# METADATA
# description: The strictest of them. An effect that is none of these has no strictest, which leaves the default.
strictest(effects) := "deny" if {
	"deny" in effects
	count(effects - {"ask", "deny"}) == 0
}

strictest(effects) := "ask" if effects == {"ask"}

strictest(effects) := "allow" if effects == set()

# Sorted, these come strictest first and then by id: equal questions get equal answers.
_entries contains [0, "default.deny", "deny", reason, help, ""] if {
	not data.sandgate.shape.sound
	some reason in data.sandgate.shape.faults
	help := "Call one of the listed tools with the arguments it describes."
}

_entries contains [_rank(finding.effect), id, finding.effect, reason, finding.help, _grant(finding)] if {
	data.sandgate.shape.sound
	some [id, finding] in array.concat(data.sandgate.index.found, _custom)
	not _granted(finding)
	_holds(id)
	reason := substring(finding.reason, 0, 300)
}

_rule(entry) := {"id": entry[1], "effect": entry[2], "reason": entry[3], "help": entry[4], "grant": entry[5]}

# The entry with which an operator's list answers an ask: what the rule says, else the command and its sub-command. What
# may be missing is asked for with a default: engines differ on a negation around what is undefined, and a finding whose
# grant is undefined would be lost.
_grant(finding) := "" if finding.effect != "ask"

_grant(finding) := finding.grant if {
	finding.effect == "ask"
	object.get(finding, "grant", "") != ""
}

_grant(finding) := _command_words(object.get(finding, "command", -1)) if {
	finding.effect == "ask"
	object.get(finding, "grant", "") == ""
}

_command_words(index) := concat(" ", array.concat([name], _sub_command(index))) if {
	some place, command in input.commands
	place == index
	name := command.name
	is_string(name)
}

_command_words(index) := "" if {
	count([1 | some place, command in input.commands; place == index; is_string(command.name)]) == 0
}

_sub_command(index) := [word |
	some place, word in object.get(data.sandgate.facts.sub_commands, index, [])
	place == 0
	is_string(word)
]

_custom := [[concat(".", ["custom", package_name]), finding] |
	some package_name
	findings := data.sandgate_custom[package_name].findings
	some finding in understood(findings)
]

# Under `open` the sandbox is the control; what belongs to the gate and to the operator stays shut.
_holds(_) if data.sandgate.settings.all.profile != "open"

_holds(id) if id in {"files.gate", "operator.commands", "operator.paths"}

_holds(id) if startswith(id, "custom.")

_rank(effect) := 1 if effect == "ask"

_rank(effect) := 0 if effect != "ask"

# An operator's `allow` answers a question of ours beforehand; it never lifts a deny.
_granted(finding) if {
	finding.effect == "ask"
	finding.command in data.sandgate.operator.granted_commands
}

_granted(finding) if {
	finding.effect == "ask"
	finding.path in data.sandgate.operator.granted_paths
}

# METADATA
# description: |
#   What an operator's rules found. They are not trusted with shapes: what is no set of findings is a deny, and they
#   cannot name a command.
understood(findings) := {{"effect": finding.effect, "reason": finding.reason, "help": finding.help} |
	some finding in findings
} if {
	_well_formed(findings)
}

understood(findings) := {{
	"effect": "deny",
	"reason": "A rule of the operator gave an answer of the wrong shape.",
	"help": "Tell the operator: findings are a set of {effect: ask or deny, reason, help}.",
}} if {
	not _well_formed(findings)
}

_well_formed(findings) if {
	is_set(findings)
	count([1 | some finding in findings; not _is_finding(finding)]) == 0
}

_is_finding(finding) if {
	is_object(finding)
	finding.effect in {"ask", "deny"}
	is_string(finding.reason)
	is_string(finding.help)
}
