# METADATA
# title: Hooks and repository settings
# description: Files in .git/hooks, and .git/config, make git run programs later, on the host too, so none writes them.
# custom:
#   held_by: words
package sandgate.rules.persistence.hooks

_hooks := concat("", [
	`/\.git/(modules/.*/)?`,
	`(hooks(/|$)|config(\.worktree|\.(gz|bz2|lz4?|xz|zst|br))?$|commondir$|info/attributes$|objects/info/alternates$)`,
	`|/\*/hooks/(pre|post|commit)-[a-z-]+$`,
])

_help := "Put the hook into a folder of the repository such as hooks/, and let a person install it."

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some path in input.paths
	path.op in {"write", "delete"}
	regex.match(_hooks, lower(path.resolved))
	reason := sprintf("%s makes git run programs later, and was to be changed.", [substring(path.resolved, 0, 120)])
	help := _help
}

# What is copied or unpacked into .git brings hooks and settings along.
findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some path in input.paths
	path.op == "write"
	path.area != "tmp"
	regex.match(`/\.git(/\*)?$`, lower(path.resolved))
	reason := sprintf("Files would be put into %s, hooks and settings among them.", [substring(path.resolved, 0, 120)])
}

findings contains {"effect": "ask", "reason": reason, "help": help, "path": path.resolved} if {
	some path in input.paths
	path.op == "delete"
	regex.match(`/\.git(/(objects|refs|logs|head|packed-refs))?$`, lower(path.resolved))
	reason := sprintf("%s would be removed or moved, with all history in it.", [substring(path.resolved, 0, 120)])
	help := "Keep .git; `git clean -fd` and `git checkout .` undo changes."
}
