# METADATA
# title: Links that lead out
# description: A link to the root, or to /proc and its like, makes every path through it mean another one.
# custom:
#   held_by: words
package sandgate.rules.files.links

import data.sandgate.paths

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.linker
	target := paths.of(command)[0]
	_leads_out(target)
	reason := sprintf("%s was to make a link to %s, a way out of the workspace.", [command.name, target])
	help := "Link to a file or folder by its own path, such as /usr/include/x or a path in the workspace."
}

_leads_out(target) if {
	target in data.sandgate.paths.roots
	not target in data.sandgate.settings.all.workspaces
}

_leads_out(target) if regex.match(`^/(proc|sys|dev|root)(/|$)`, target)
