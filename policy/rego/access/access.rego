# METADATA
# title: What the kernel holds a command to
# description: |
#   `paths` becomes a Landlock ruleset, so it binds scripts that no parser saw. It is allow-only; what lies beneath an
#   allowed path cannot be taken away again. Under `strict` only the listed programs may be executed at all; a program
#   that may run can still load another one's code by hand (through the loader, or from memory).
package sandgate.access

paths(settings) := {
	"read": ["/"],
	"write": array.concat(settings.workspaces, ["/tmp", "/var/tmp", settings.home, "/dev"]),
	"execute": settings.execute,
} if {
	settings.profile != "strict"
}

paths(settings) := {
	"read": ["/"],
	"write": array.concat(settings.workspaces, ["/tmp", "/dev"]),
	"execute": _listed(settings.home),
} if {
	settings.profile == "strict"
}

# What does not exist in an image is left out by the agent, which allows less.
_listed(home) := sort(array.concat(_always, [path |
	some folder in array.concat(["/bin", "/usr/bin", "/usr/local/bin"], [concat("", [home, "/.venv/bin"])])
	some name in data.sandgate.settings.readers | data.sandgate.operator.granted_names
	path := concat("/", [folder, name])
]))

# The shell that runs a call, the loaders without which no program starts, and git's own parts.
_always := [
	"/bin/bash", "/bin/sh", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1", "/lib/ld-musl-x86_64.so.1",
	"/lib64/ld-linux-x86-64.so.2", "/usr/bin/bash", "/usr/bin/git", "/usr/bin/sh", "/usr/lib/git-core",
]
