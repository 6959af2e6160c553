# METADATA
# title: Requests to hosts
# description: |
#   A command that talks to a host by hand carries data out as easily as in, so a person is asked. Loopback is free, and
#   so are the hosts that the operator lists. The gate judges every request again, whoever sends it.
# custom:
#   held_by: gate
package sandgate.rules.outward.fetch

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index, "grant": grant} if {
	some command in data.sandgate.facts.tagged.fetcher
	not _only_listed(command)
	not _only_tells(command)
	reason := sprintf("%s would talk to a host by hand%s.", [command.name, _towards(command)])
	help := "Package managers and localhost are free. A listed host needs no yes; one that is not stays shut at the gate."
	grant := _grant(command)
}

# The host where one is written out, else the program.
_grant(command) := array.concat(_hosts(command), [command.name])[0]

_hosts(command) := [host |
	some word in command.words
	contains(word, "://")
	not _names_listed(word)
	host := _host(word)
	regex.match(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`, host)
]

findings contains {"effect": "ask", "reason": reason, "help": help} if {
	some redirect in data.sandgate.facts.redirects
	is_string(redirect.path)
	regex.match(`^/dev/(tcp|udp)/`, redirect.path)
	not regex.match(`^/dev/(tcp|udp)/(localhost|127\.[0-9.]+|::1)/`, redirect.path)
	reason := sprintf("A redirection would open a connection (%s).", [redirect.path])
	help := "Connections to localhost are free; package managers work as they are."
}

# Every operand must be a listed host, or a word that cannot be one.
_only_listed(command) if {
	_names_one(command)
	not _names_other(command)
}

# httpie: a method, the address, then fields.
_only_listed(command) if {
	command.name in {"http", "https"}
	not null in command.argv
	not contains(command.text, "--proxy")
	addresses := [word | some word in _plain(command); not regex.match(`^[A-Za-z0-9_.-]+(:=|==|=)`, word)]
	count(addresses) == 1
	regex.match(`^(https?://)?((localhost|127\.0\.0\.1)(:[0-9]+)?|:[0-9]+)(/|$)`, addresses[0])
	addresses[0] == _plain(command)[0]
}

_plain(command) := [word | some word in command.words; not regex.match(`^(-|[A-Z]+$)`, word)]

_names_one(command) if {
	some word in command.words
	_names_listed(word)
}

_names_one(command) if {
	some place, word in command.argv
	is_null(word)
	_known_listed(command, place)
}

# What is known of a word already ends its host: localhost:8000/items/$id, localhost/search?q=x.
_known_listed(command, place) if {
	known := command.known[place]
	regex.match(`^([a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\\]+|[^:/?#\\]+(:[0-9]+)?)[/?]`, known)
	_names_listed(known)
}

_known_listed(command, place) if {
	command.dynamic[place] == "number"
	_is_harmless(command.known[place])
}

_is_harmless(word) if regex.match(`^(-|[0-9]{1,5}$)`, word)

_is_harmless(word) if _names_listed(word)

# A word that is only known when it runs could be a host, but for a header, a body, a name of a file.
_names_other(command) if {
	some place, word in command.argv
	place > 0
	is_null(word)
	not _value(command, place)
	not _known_listed(command, place)
}

_names_other(command) if {
	some place, word in command.argv
	place > 0
	is_string(word)
	not _is_harmless(word)
	not _value(command, place)
}

# Options that send the request another way, or take its addresses from a file.
_names_other(command) if regex.match(`(?m)^(-x|-K|--(pre)?proxy|--socks|--connect-to|--resolve|--conf)`, command.text)

_names_other(command) if {
	command.name != "curl"
	regex.match(`(?m)^(-[a-zA-Z]*[ie]|--input|--exec|--use-proxy)`, command.text)
}

# The word after one of these is a file, a header or a method, even where it looks like a host.
_value(command, place) if {
	place > 1
	is_string(command.argv[place - 1])
	regex.match(_valued[command.name], command.argv[place - 1])
}

_valued := {
	"curl": concat("", [
		`^(-[a-zA-Z]*[oHAdwXbcFTmu]|--(output|header|user-agent|data(-[a-z]+)?|json|write-out|request|cookie`,
		`|cookie-jar`,
		`|form|form-string|upload-file|unix-socket|cacert|cert|key`,
		`|max-time|connect-timeout|retry|retry-delay|user|output-dir))$`,
	]),
	"wget": `^(-[OoPU]|--(output-document|output-file|directory-prefix|header|user-agent|post-data|tries|timeout))$`,
}

_names_listed(word) if _listed(_host(word))

_listed(host) if host in {"localhost", "127.0.0.1", "0.0.0.0", "[::1]", "::1"}

_listed(host) if endswith(host, ".localhost")

_listed(host) if host in data.sandgate.settings.all.hosts

_listed(host) if {
	some entry in data.sandgate.settings.all.hosts
	startswith(entry, "*.")
	endswith(host, substring(entry, 1, -1))
}

# What stands before the first slash, without scheme and port; a name with a user in it is never one of the listed.
_host(word) := lower(regex.replace(bare, `:[0-9]*$`, "")) if {
	authority := regex.replace(word, `^[a-zA-Z][a-zA-Z0-9+.-]*://`, "")
	bare := regex.replace(authority, `[/?#\\].*$`, "")
}

_only_tells(command) if {
	count(command.argv) == 2
	command.argv[1] in {"--version", "-V", "--help", "-h"}
}

_towards(command) := sprintf(" (%s)", [substring(url, 0, 80)]) if {
	urls := [word | some word in command.words; contains(word, "://")]
	count(urls) > 0
	url := urls[0]
}

_towards(command) := "" if {
	not contains(command.text, "://")
}
