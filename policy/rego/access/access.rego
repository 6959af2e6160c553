# METADATA
# title: What the kernel holds a command to
# description: |
#   `paths` becomes a Landlock ruleset, so it binds scripts that no parser saw. It is allow-only; what lies beneath an
#   allowed path cannot be taken away again.
package sandgate.access

paths := {
	"read": ["/"],
	"write": array.concat(settings.workspaces, _shared(settings.profile, settings.home)),
	"execute": settings.execute,
} if {
	settings := data.sandgate.settings.all
}

_shared("strict", _) := ["/tmp", "/dev"]

_shared(profile, home) := ["/tmp", "/var/tmp", home, "/dev"] if profile != "strict"
