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

# Each of a few is looked for in all words; who names so many takes nothing over and leaves nothing out.
findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	count(_named) > _few
	reason := sprintf("%d files that hold the project's secrets were to be read.", [count(_named)])
}

_few := 30

_named := [path |
	some path in input.paths
	path.op == "read"
	regex.match(_env, lower(path.resolved))
	not regex.match(_public, lower(path.resolved))
]

_read := [path |
	count(_named) <= _few
	some path in _named
	not _only_left_out(path.asked)
]

# Each word that names it says that it be left out, or asks git about its name.
_only_left_out(asked) if {
	named := [_is_left_out(command, at) |
		some command in input.commands
		some at, word in command.argv
		is_string(word)
		contains(word, asked)
	]
	count(named) > 0
	not false in named
}

default _is_left_out(_, _) := false

_is_left_out(command, at) if {
	command.name in {"tar", "gtar", "bsdtar", "rsync", "grep", "diff", "du"}
	regex.match(`^--exclude=`, command.argv[at])
}

_is_left_out(command, at) if {
	some option in object.get(_leaves_out, command.name, [])
	command.argv[at - 1] == option
}

_is_left_out(command, at) if {
	command.name == "git"
	command.argv[1] == "clean"
	command.argv[at - 1] == "-e"
}

# What git prints of it is its name, which another command could take for a file's.
_is_left_out(command, _) if {
	command.name == "git"
	command.argv[1] in {"check-ignore", "ls-files"}
	_nobody_takes_names
}

_is_left_out(command, _) if {
	command.name in {"echo", "printf"}
	_nobody_takes_names
}

_is_left_out(command, _) if {
	command.name == "git"
	command.argv[1] == "log"
	_nobody_takes_names
	options := [word | some word in array.slice(command.argv, 2, count(command.argv)); startswith(word, "-")]
	count([1 | some option in options; not regex.match(_names_commits, option)]) == 0
}

_nobody_takes_names if {
	count([1 | some command in input.commands; not command.name in _plain]) == 0
	count([1 | some command in input.commands; null in command.argv]) == 0
}

_plain := {"git", "echo", "printf", "true", "test", "[", "wc"}

_leaves_out := {
	"tar": ["--exclude"], "gtar": ["--exclude"], "bsdtar": ["--exclude"], "rsync": ["--exclude"], "zip": ["-x"],
}

_names_commits := concat("", [
	`^(--|--oneline|--all|--stat|--name-(only|status)|--follow|--graph|-[0-9]+`,
	`|--(format|pretty)=[A-Za-z%: -]*)$`,
])

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
