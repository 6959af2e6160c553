# METADATA
# title: Where files may be changed
# description: |
#   Workspaces, /tmp and the home folder may be changed; the system is read-only, for commands too, and /proc is shut to
#   the file tools.
# custom:
#   held_by: kernel
package sandgate.rules.files.areas

_help := sprintf("Use files in %s, in /tmp or in the home folder; reading system files is fine.", [_own]) if _own != ""

_help := "Use files in the workspace, in /tmp or in the home folder; reading system files is fine." if _own == ""

_own := concat(" or ", array.slice(data.sandgate.settings.all.workspaces, 0, 3))

_system := `^/((bin|boot|dev|etc|lib[0-9]*|opt|root|run|sbin|srv|usr|var|home)(/|$)|$)`

_place(path) := "is part of the system" if regex.match(_system, path)

_place(path) := "lies outside the folders of this session" if not regex.match(_system, path)

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some path in input.paths
	path.area == "proc"
	not _by_command
	reason := sprintf("%s belongs to a process or to the kernel.", [substring(path.resolved, 0, 120)])
}

# A relative path from a folder that is not known has no place of its own, and is the kernel's to hold.
findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some path in input.paths
	path.area == "system"
	path.op in {"write", "delete"}
	path.resolved != ""
	not startswith(path.resolved, "/dev/")
	shown := substring(path.resolved, 0, 120)
	reason := sprintf("%s %s and is not changed.", [shown, _place(path.resolved)])
}

_by_command if input.tool in {"shell", "exec", "policy_check"}
