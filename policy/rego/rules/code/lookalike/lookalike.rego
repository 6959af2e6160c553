# METADATA
# title: Files named like commands
# description: A file of the workspace named like a well-known command (./rm) is not that command, so a person is asked.
# custom:
#   held_by: words
package sandgate.rules.code.lookalike

_own := {"python", "python3", "pip", "pip3", "node", "npm", "npx", "uv", "poetry", "gradlew", "mvnw"}

_names := {"ls", "cat", "cp", "echo", "tee", "grep", "head", "tail", "mkdir", "touch", "env", "which", "id", "true"}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": index} if {
	some index, command in input.commands
	command.path_kind == "workspace"
	_known(command.name)
	shown := substring(command.argv[0], 0, 80)
	reason := sprintf("%s is a file of the workspace that is named like a well-known command.", [shown])
	help := "Call the real command by its bare name, or give the file another name."
}

_known(name) if name in _names

_known(name) if {
	not name in _own
	tags := {tag | some tag in data.sandgate.settings.tags[name]}
	count(tags - {"interpreter", "installer", "publisher"}) > 0
}
