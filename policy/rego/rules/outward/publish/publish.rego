# METADATA
# title: Publishing
# description: What leaves for a shared place, a push or a release, cannot be taken back, so a person is asked.
# custom:
#   held_by: gate
package sandgate.rules.outward.publish

_acts := concat("", [
	`^(git (push|send-email|send-pack)|npm (publish|unpublish|deprecate|owner|dist-tag|access|login|adduser|token)`,
	`|pnpm (publish|login)|yarn (publish|login)|yarn npm (publish|login|tag)|bun publish|twine (upload|register)`,
	`|cargo (publish|yank|owner|login)|gem (push|yank|owner|signin)|(poetry|uv|flit|hatch|pdm) publish`,
	`|(gh|glab|hub) .*|mvn .*deploy|mvn .*release:perform|(dotnet nuget|nuget) (push|delete))( |$)`,
])

# Spares most commands the closer look.
_hints := concat("", [
	`(?m)^(push|send|publish|unpublish|deprecate|owner|dist-tag|access|login|adduser|token|npm|upload|register|yank`,
	`|signin|nuget|delete)|deploy|release|^(pr|mr|issue|repo|run|ci|workflow|gist|label|api|auth|secret|variable`,
	`|ssh-key`,
	`|snippet|fork|pull|create)`,
])

_looks := concat("", [
	`^(gh|glab|hub) ((pr|mr|issue|release|repo|run|ci|workflow|gist|label) `,
	`(list|view|status|diff|checks|show|download|checkout)`,
	`|(search|browse|help|version|completion|--version|--help|status|log|diff|branch|checkout|fetch|clone)( |$))`,
])

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.publisher
	regex.match(_hints, command.text)
	verbs := data.sandgate.facts.sub_command(command)
	act := concat(" ", array.concat([command.name], [_word(word) | some word in array.slice(verbs, 0, 2)]))
	regex.match(_acts, act)
	not regex.match(_looks, act)
	not _dry(command)
	reason := sprintf("%s %s sends work to a place outside the sandbox.", [command.name, verbs[0]])
	help := "Commit and build locally; a person can push or publish, or the operator can allow this command."
}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.publisher
	null in command.argv
	is_null(data.sandgate.facts.sub_command(command)[0])
	reason := sprintf("What %s would do is only known when it runs.", [command.name])
	help := "Write the sub-command out, such as `git status`."
}

# A tool that nobody listed says by its own verb that it publishes.
findings contains {"effect": "ask", "reason": reason, "help": help, "command": index} if {
	some index, command in input.commands
	command.argv[1] == "publish"
	not command.name in _publishes_here
	reason := sprintf("%s publish sends work to a place outside the sandbox.", [substring(command.name, 0, 60)])
	help := "Build and pack locally; a person can publish, or the operator can allow this command."
	not _rehearses(command)
}

_rehearses(command) if {
	some word in command.argv
	word in {"--dry-run", "--help", "-h", "-n"}
}

# Those of the table, and words that are no command's.
_publishes_here := {name | some name, tags in data.sandgate.settings.tags; "publisher" in tags} |
	{"echo", "printf", "grep", "egrep", "fgrep", "rg", "test", "[", "man", "which", "cat", "ls", "mkdir", "sed"}

# python -m twine is twine.
findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.interpreter
	regex.match(`(?m)^-[A-Za-z]*m\n?(twine\n(upload|register)|(poetry|flit|hatch|pdm|uv)\npublish)$`, command.text)
	reason := sprintf("%s would publish a package.", [command.name])
	help := "Build locally, such as `python -m build`; a person can publish it."
}

_word(word) := substring(word, 0, 40) if is_string(word)

_word(word) := "?" if is_null(word)

_dry(command) if regex.match(`(?m)^(--dry-run|--help)$`, command.text)
