# METADATA
# title: Other package indexes
# description: Installing runs the code of what is installed, so an index beside the configured one is asked about.
# custom:
#   held_by: gate
package sandgate.rules.outward.package_index

_options := `(?m)^(-i|--inde?x?(-url)?|--index-[a-z-]+|--ext[a-z-]*|--default-index|--find-links|-f|--registry)(=|$)`

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.installer
	regex.match(`(?m)^(install|add|download|sync|i|run|exec|dlx|x|wheel|tool|ci|update)$`, command.text)
	_elsewhere(command)
	reason := sprintf("%s would install from a place other than the configured index.", [command.name])
	help := "Install by name from the configured index, such as `pip install rich`."
}

_elsewhere(command) if {
	regex.match(_options, command.text)
	not _here(command)
}

_elsewhere(command) if regex.match(_addresses, command.text)

_addresses := `(?m)^(git\+|(git|https?|ssh|ftp)://|[A-Za-z0-9_.\[\]-]+ ?@ ?(git\+|https?:))`

# Short -f is --force for npm and its like, and a folder of wheels is a place here.
_here(command) if {
	command.name in {"npm", "pnpm", "yarn"}
	not regex.match(`(?m)^--reg`, command.text)
}

_here(command) if {
	regex.match(`(?m)^(-f|--find-links)(=|\n)(\.|/)`, command.text)
	not regex.match(`(?m)^(-i|--inde?x?|--index-|--ext|--default-index|--reg)`, command.text)
}
