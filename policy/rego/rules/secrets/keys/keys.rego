# METADATA
# title: Keys and credentials
# description: Private keys, password databases and the credential files of well-known tools are not opened.
# custom:
#   held_by: words
package sandgate.rules.secrets.keys

_keys := concat("", [
	`/\.ssh(/[^/]*)?$|/id_(rsa|dsa|ecdsa|ed25519)$|/etc/(shadow|gshadow|sudoers)(-|$|\.d(/|$))`,
	`|/\.(netrc|pgpass|git-credentials|pypirc|my\.cnf|vault-token|s3cfg|boto|databrickscfg)$|/\.(aws|azure)(/|$)`,
	`|/\.config/(gcloud|gh|op|hub|github-copilot|rclone|doctl|sops)(/|$)|/\.password-store(/|$)`,
	`|/\.config/containers/auth\.json$|/\.terraform\.d/credentials\.tfrc\.json$|/\.local/share/keyrings(/|$)`,
	`|/\.claude/\.credentials\.json$|/\.codex/auth\.json$|/\.gemini/oauth_creds\.json$`,
	`|/\.kube/config$|/\.docker/config\.json$|/\.gnupg(/|$)|/run/secrets(/|$)|/\.cargo/credentials(\.toml)?$`,
])

_public := `/\.ssh/(known_hosts(\.old)?|[^/]*\.pub)$`

_help := "Work without it: the operator gives credentials to a host, and the gate adds them on the way."

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some path in input.paths
	path.op != "list"
	_is_key(path.resolved)
	shown := substring(path.resolved, 0, 120)
	reason := sprintf("%s holds keys or credentials, and was to be opened (%s).", [shown, path.op])
}

# The home folder's settings of package managers hold the tokens with which they log in.
findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some path in input.paths
	path.op == "read"
	startswith(path.resolved, data.sandgate.settings.all.home)
	regex.match(_logins, trim_prefix(path.resolved, data.sandgate.settings.all.home))
	reason := sprintf("%s may hold tokens, and was to be read.", [substring(path.resolved, 0, 120)])
}

_logins := `^/(\.npmrc|\.yarnrc(\.yml)?|\.config/pip/pip\.conf|\.pip/pip\.conf)$`

_is_key(path) if {
	regex.match(_keys, lower(path))
	not regex.match(_public, lower(path))
}

