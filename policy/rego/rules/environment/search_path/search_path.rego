# METADATA
# title: The search path
# description: |
#   With another PATH the names that were judged mean other programs, so it is only set to the system's own folders.
#   What is put behind the old value takes no name away.
# custom:
#   held_by: words
package sandgate.rules.environment.search_path

_system := `^(/usr/local/s?bin|/usr/s?bin|/s?bin)(:(/usr/local/s?bin|/usr/s?bin|/s?bin))*$`

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some assign in data.sandgate.facts.assigns
	assign.name == "PATH"
	not _is_system(assign.value)
	not _only_appends(assign.appends)
	not _only_prepends(assign.prepends)
	reason := "Setting PATH makes the names of commands mean other programs than those that were judged."
	help := "Call it by its path, such as ./bin/x; `. .venv/bin/activate` and $PWD/node_modules/.bin in front are fine."
}

# Folders written out or of a tool (go env GOPATH), behind those that are there: what is found today is found as before.
_only_appends(rest) if {
	is_string(rest)
	regex.match(`^(:(/|~|\$\{[a-z0-9-]+ [A-Za-z -]+\}/)[^:$]*)*$`, rest)
}

# In front of them, folders that no command may write, or whose change is asked about.
_only_prepends(front) if {
	is_string(front)
	parts := split(front, ":")
	parts[count(parts) - 1] == ""
	count([part | some part in array.slice(parts, 0, count(parts) - 1); not _guarded(part)]) == 0
}

_guarded(part) if {
	regex.match(`^/(usr|opt|bin|sbin|snap)(/[A-Za-z0-9_+@.-]+)*/?$`, part)
	not contains(part, "..")
}

_guarded(part) if {
	startswith(part, data.sandgate.settings.all.home)
	rest := trim_prefix(part, data.sandgate.settings.all.home)
	regex.match(concat("", ["^/(", data.sandgate.settings.tool_folders, ")/?$"]), rest)
}

_guarded(part) if part == "/root/.local/bin"

# What activating the project's environment, or npm run, puts in front as well. A list of commands would not hold then.
_guarded(part) if {
	data.sandgate.settings.all.profile != "strict"
	some root in array.concat(["/tmp"], data.sandgate.settings.all.workspaces)
	startswith(part, concat("", [root, "/"]))
	regex.match(`/(\.?venv[0-9.-]*/bin|node_modules/\.bin)/?$`, part)
	not contains(part, "/..")
	count([1 | some path in input.paths; path.op != "read"; startswith(path.resolved, trim_right(part, "/"))]) == 0
}

_is_system(value) if {
	is_string(value)
	regex.match(_system, value)
}
