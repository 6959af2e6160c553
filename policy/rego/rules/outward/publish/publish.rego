# METADATA
# title: Publishing
# description: What leaves for a shared place, a push or a release, cannot be taken back, so a person is asked.
# custom:
#   held_by: gate
package sandgate.rules.outward.publish

_acts := concat("", [
	`^([^ ]+ publish|pnpm recursive publish|cargo workspaces publish`,
	`|git (push|review|send-email|send-pack|imap-send|http-push|(lfs|subtree) push|svn dcommit|p4 submit)`,
	`|npm (pu[bl]?|publ?i?s?h?|unp[a-z]*|dep[a-z]*|ow[a-z]*|dis[a-z-]*|acc[a-z]*|logi[a-z]*|add-?u[a-z]*|tok[a-z]*`,
	`|team|org|hook|star|trust|stage)`,
	`|pnpm (publish|unpublish|login)|yarn (publish|login|tag)|yarn npm (publish|login|tag)|bun publish`,
	`|twine (upload|register)`,
	`|cargo (publish|yank|owner|login)|gem (push|yank|owner|signin)|(poetry|uv|flit|hatch|pdm) publish`,
	`|(gh|glab|hub|tea) .*|mvnw? .*deploy|mvnw? .*release:perform|(dotnet nuget|nuget) (push|delete)`,
	`|gradlew? ([^ ]*:)?(publish[A-Za-z]*|uploadArchives)|jj git|svn (ci|commit|import)`,
	`|(hg|sl|bzr|darcs|dvc|fossil|buildah|apptainer|singularity|pijul) push|hg email|fossil sync`,
	`|(dart|flutter) pub publish`,
	`|(anaconda|conan|conda|luarocks|maturin|hf|huggingface-cli) upload|pod trunk|mix hex\.publish|rake release`,
	`|(cdk|sam|serverless|sls|sst|eb|copilot|zappa|chalice) deploy|mkdocs gh-deploy`,
	`|goreleaser release|cargo release)( |$)`,
])

# Spares most commands the closer look.
_hints := concat("", [
	`(?m)^(push|send|imap-send|http-push|dcommit|submit`,
	`|:?[a-zA-Z+:]*publish|pu|unp|dep|ow|dis|acc|logi|add-?u|tok|team|org|hook|star|trust|stage|npm|upload`,
	`|register|yank|tag|git$|ci$|commit|import|email|sync|pub$|trunk|hex|releases?|gh-deploy`,
	`|alias|extension|codespace|gpg-key|review$`,
	`|signin|nuget|delete)|deploy|release|^(pr|mr|issue|repo|run|ci|workflow|gist|label|api|auth|secret|variable`,
	`|ssh-key`,
	`|snippet|fork|pull|create)`,
])

_looks := concat("", [
	`^(gh|glab|hub|tea) ((pr|mr|issue|release|repo|run|ci|workflow|gist|label) `,
	`(list|view|status|diff|checks|show|download|checkout)`,
	`|auth status( |$)`,
	`|(search|browse|help|version|completion|--version|--help|status|log|diff|branch|checkout|fetch|clone)( |$))`,
])

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.publisher
	regex.match(_hints, command.text)
	verbs := data.sandgate.facts.sub_command(command)
	act := concat(" ", array.concat([command.name], [_word(word) | some word in array.slice(verbs, 0, 3)]))
	regex.match(_acts, act)
	not regex.match(_looks, act)
	not regex.match(`^gradlew? [^ ]*publish[A-Za-z]*ToMavenLocal`, act)
	not regex.match(`^(jj git (fetch|clone|remote|init|import|export)|npm (org|team|hook|star) ls)`, act)
	not _gets(command, verbs)
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

# gh api asks with GET unless it is given a method, fields or a body.
_gets(command, verbs) if {
	command.name == "gh"
	verbs[0] == "api"
	not null in verbs
	not "graphql" in verbs
	not regex.match(`(?m)^(-[a-z]*[XfF]|--(method|field|raw-field|input)(=|$))`, command.text)
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
	regex.match(
		concat("", [
			`(?m)^(-[A-Za-z]*m\n?(twine\n(upload|register)|(poetry|flit|hatch|pdm|uv)\npublish)`,
			`|setup\.py\n([^\n]*\n)*(upload|register))$`,
		]),
		command.text,
	)
	reason := sprintf("%s would publish a package.", [command.name])
	help := "Build locally, such as `python -m build`; a person can publish it."
}

_word(word) := substring(word, 0, 40) if is_string(word)

_word(word) := "?" if is_null(word)

_dry(command) if regex.match(`(?m)^(--dry-run|--help|--snapshot)$`, command.text)
