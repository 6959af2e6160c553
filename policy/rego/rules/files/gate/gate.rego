# METADATA
# title: The gate's own files
# description: |
#   The sandbox's socket, settings and control files stay shut under every profile, and so does an engine's socket,
#   should one ever lie there.
# custom:
#   held_by: mount
package sandgate.rules.files.gate

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some path in input.paths
	path.area == "gate"
	reason := sprintf("%s belongs to the sandbox itself.", [substring(path.resolved, 0, 120)])
	help := "Use files in the workspace, in /tmp or in the home folder."
}
