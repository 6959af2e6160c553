# METADATA
# title: Tools that gain rights
# description: Commands run without rights; tools that change user, mounts, namespaces or the kernel are denied.
# custom:
#   held_by: container
package sandgate.rules.privilege.tools

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.privilege
	reason := sprintf(
		"%s is not available: commands run as an unprivileged user and cannot gain rights.",
		[command.name],
	)
	help := "Run the command without it; `pip install` and `npm install` work as they are."
}
