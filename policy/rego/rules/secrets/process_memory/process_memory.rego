# METADATA
# title: Other processes
# description: /proc gives away the environment, memory and open files of processes, and links out of any folder.
# custom:
#   held_by: container
package sandgate.rules.secrets.process_memory

_proc := concat("", [
	`^(/proc/([^/]+/(task/[^/]+/)?(environ|mem|fd|fdinfo|root|cwd|exe|map_files|maps|smaps|pagemap|ns|auxv|stack)`,
	`|kcore|kallsyms|kmsg|sysrq-trigger|sys|keys|key-users)|/sys/(kernel|fs/cgroup|firmware))(/|$)`,
])

_help := "Read /proc/cpuinfo, /proc/meminfo or /proc/self/status; the command's own environment is in `env`."

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some path in input.paths
	path.op != "list"
	regex.match(_proc, path.resolved)
	not _harmless(path.resolved)
	not _only_tells(path)
	shown := substring(path.resolved, 0, 120)
	reason := sprintf("%s belongs to a process or to the kernel, and was to be opened.", [shown])
}

# The number of a process that is only known when it runs could be that of any.
findings contains {"effect": "ask", "reason": reason, "help": _help, "path": path.resolved} if {
	some path in input.paths
	path.op == "read"
	path.resolved == "/proc"
	reason := "A file of some process would be read; which one is only known when it runs."
}

# A program's own limits.
_harmless(path) if regex.match(`^/sys/fs/cgroup/([a-z,]+/)?[a-z]+\.[a-z_.]+$`, path)

# Descriptors of the command itself, under the names that scripts use.
_harmless(path) if regex.match(`^/proc/self/fd/[0-9]+$`, path)

_harmless(path) if regex.match(`^/proc/sys/kernel/(hostname|osrelease|version|random/uuid)$`, path)

# How the kernel is set; reading changes nothing, and tells what sysctl tells.
_only_tells(path) if {
	path.op == "read"
	regex.match(`^/(proc/sys/(fs|kernel|net|vm)|sys/kernel/mm)/[a-z0-9_/-]+$`, path.resolved)
}
