# METADATA
# title: Files that are named like secrets
# description: |
#   Private keys, key stores, state files and histories often lie in a workspace, for tests as well as in earnest, so a
#   person is asked before one is read. Public keys and certificates are free.
# custom:
#   held_by: words
package sandgate.rules.secrets.key_files

_names := concat("", [
	`/[^/]*\.(pem|key|p12|pfx|jks|keystore|kdbx|tfstate|tfstate\.backup|ovpn|ppk)$`,
	`|/(secrets?|credentials?)\.(ya?ml|json|toml|ini|env|txt|properties)$|/service[-_]?account[^/]*\.json$`,
	`|/kubeconfig$|/\.vault[-_]pass[^/]*$|/\.[a-z]+_history$|/etc/ssl/private(/|$)|/\.htpasswd$`,
])

_public := concat("", [
	`/([^/]*[._-])?(pub|public)[^/]*\.(pem|key)$`,
	`|/([^/]*[._-])?(cert|certs|certificate|ca|cacert|cacerts|chain|fullchain|bundle|root|roots|csr|crt)[^/]*\.pem$`,
	`|/(ca-certificates|site-packages|node_modules|testdata|fixtures)/`,
])

_help := "Say what is needed from it, so that a person can answer; certificates and public keys may be read."

findings contains {"effect": "ask", "reason": reason, "help": _help, "path": path.resolved} if {
	count(_named) <= _few
	some path in _named
	not _only_signs(path.asked)
	reason := sprintf("%s is named like a file of secrets, and was to be read.", [substring(path.resolved, 0, 120)])
}

# Each of a few is looked for in all words.
findings contains {"effect": "ask", "reason": reason, "help": _help} if {
	count(_named) > _few
	reason := sprintf("%d files are named like files of secrets, and were to be read.", [count(_named)])
}

_few := 30

_named := [path |
	some path in input.paths
	path.op == "read"
	regex.match(_names, lower(path.resolved))
	not regex.match(_public, lower(path.resolved))
]

# openssl makes a request, a certificate or a signature with it, or shows its public half.
_only_signs(asked) if {
	named := [_is_used(command, at) |
		some command in input.commands
		some at, word in command.argv
		is_string(word)
		contains(word, asked)
	]
	true in named
	not false in named
}

default _is_used(_, _) := false

_is_used(command, at) if {
	command.name == "openssl"
	command.argv[1] in {"req", "x509", "ca", "dgst"}
	command.argv[at - 1] in {"-key", "-CAkey", "-signkey", "-keyfile", "-sign"}
}

_is_used(command, at) if {
	command.name == "openssl"
	command.argv[1] in {"rsa", "ec", "pkey"}
	command.argv[at - 1] == "-in"
	"-pubout" in command.argv
	not "-text" in command.argv
}

# It is made, or made anew.
_is_used(command, at) if {
	command.name == "openssl"
	command.argv[at - 1] in {"-out", "-keyout"}
}
