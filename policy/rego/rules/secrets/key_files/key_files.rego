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
	`/([^/]*[._-])?(pub|public|cert|certs|certificate|ca|cacert|cacerts|chain|fullchain|bundle|root|roots|csr`,
	`|crt)[^/]*`,
	`\.(pem|key)$|/(ca-certificates|site-packages|node_modules|testdata|fixtures)/`,
])

findings contains {"effect": "ask", "reason": reason, "help": help, "path": path.resolved} if {
	some path in input.paths
	path.op == "read"
	regex.match(_names, lower(path.resolved))
	not regex.match(_public, lower(path.resolved))
	reason := sprintf("%s is named like a file of secrets, and was to be read.", [substring(path.resolved, 0, 120)])
	help := "Say what is needed from it, so that a person can answer; certificates and public keys may be read."
}
