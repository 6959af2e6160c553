# METADATA
# title: Names that hide
# description: A name with spaces, control or non-ASCII characters looks like another command, so it is denied.
# custom:
#   held_by: words
package sandgate.rules.code.odd_name

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in input.commands
	is_string(command.name)
	command.name != ""
	command.path_kind != "workspace"
	not regex.match(`^[A-Za-z0-9_.+:@%,=~!\[\]{}^/-]+$`, command.name)
	reason := sprintf("The command name %q holds characters that no program's name has.", [substring(command.name, 0, 60)])
	help := "Type the name anew in plain ASCII, with plain spaces and line feeds around it."
}
