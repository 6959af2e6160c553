# METADATA
# title: Tools that gain rights
# description: Commands run without rights; tools that change user, mounts, namespaces or the kernel are denied.
# custom:
#   held_by: container
package sandgate.rules.privilege.tools

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.privilege
	not _only_lists(command)
	reason := sprintf(
		"%s is not available: commands run as an unprivileged user and cannot gain rights.",
		[command.name],
	)
	help := "Run the command without it: pip and npm install as they are; system packages come with the environment."
}

_only_lists(command) if command.argv == ["capsh", "--print"]

# Alone they say what is mounted, or which swap there is.
_only_lists(command) if {
	command.name in {"mount", "swapon"}
	count([word | some word in command.argv; not word in {"-l", "-s", "--show"}]) == 1
}
