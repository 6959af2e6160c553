# METADATA
# title: .env files
# description: A .env file holds the project's secrets; a program may find it by itself, no tool prints or sends it.
# custom:
#   held_by: words
package sandgate.rules.secrets.env_files

_env := `/\.env[*?]*(\.[a-z0-9_*?-]+)*$`

_public := `\.(example|sample|template|dist|defaults?|schema)$`

_help := "Ask which variables are needed; .env.example may be read, and `test -f .env` is fine."

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some path in _read
	not _only_sourced(path.asked)
	reason := sprintf("%s holds the project's secrets, and was to be read.", [substring(path.resolved, 0, 120)])
}

# Taking the variables over is what the file is for; showing them is not.
findings contains {"effect": "ask", "reason": reason, "help": _help, "path": path.resolved} if {
	some path in _read
	_only_sourced(path.asked)
	reason := sprintf("The variables of %s would be taken over, secrets among them.", [substring(path.resolved, 0, 120)])
}

_read := [path |
	some path in input.paths
	path.op == "read"
	regex.match(_env, lower(path.resolved))
	not regex.match(_public, lower(path.resolved))
]

_only_sourced(asked) if {
	some command in input.commands
	_takes_over(command, asked)
	not _named_elsewhere(asked)
}

_takes_over(command, asked) if {
	command.name in {"source", "."}
	asked in command.argv
}

# The option with which these take it over.
_takes_over(command, asked) if {
	command.name in {"node", "bun", "deno", "tsx", "uv", "docker", "podman", "docker-compose"}
	some at, word in command.argv
	_with_option(command, at, word, asked)
}

_with_option(_, _, word, asked) if word == _option(asked)

_with_option(command, at, word, asked) if {
	word == asked
	command.argv[at - 1] == "--env-file"
}

_option(asked) := concat("", ["--env-file=", asked])

_named_elsewhere(asked) if {
	some command in input.commands
	not command.name in {"source", "."}
	some at, word in command.argv
	is_string(word)
	contains(word, asked)
	word != _option(asked)
	not command.argv[at - 1] == "--env-file"
}
