# METADATA
# title: Searches of the whole disk
# description: |
#   A recursive search from / reads every file of the machine to find secrets, and takes minutes. A copy of it, or of
#   the home folder, holds the keys that would not be opened one by one.
# custom:
#   held_by: container
package sandgate.rules.secrets.whole_disk

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some path in input.paths
	path.op == "read"
	path.resolved in {"/", "/proc", "/sys", "/root", "/home"}
	some command in input.commands
	_searches(command)
	reason := sprintf("%s was to search every file under %s.", [command.name, path.resolved])
	help := "Search the workspace, or name the folder, such as /usr/include."
}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some path in input.paths
	path.op == "read"
	path.resolved in {"/", "/root", "/home", data.sandgate.settings.all.home}
	some command in input.commands
	command.name in _copiers
	some word in command.argv
	is_string(word)
	startswith(concat("", [path.asked, "/"]), concat("", [word, "/"])) # tar -C ~ . asks for ~/.
	reason := sprintf("%s was to copy all that lies under %s, with the keys and credentials in it.", [
		command.name,
		path.resolved,
	])
	help := "Name the folders that are needed, such as ~/.cache/pip or /usr/include."
}

_copiers := {"7z", "7za", "bsdtar", "cp", "gtar", "pax", "rsync", "scp", "tar", "zip"}

_searches(command) if command.name in {"rg", "ag", "ack"}

_searches(command) if {
	command.name in {"grep", "egrep", "fgrep", "ggrep", "zgrep"}
	some word in command.argv
	is_string(word)
	regex.match(`^(-[A-Za-z0-9]*[rR]|--rec|--deref)`, word)
}
