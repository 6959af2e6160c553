# METADATA
# title: Hooks and repository settings
# description: Files in .git/hooks, and .git/config, make git run programs later, on the host too, so none writes them.
# custom:
#   held_by: words
package sandgate.rules.persistence.hooks

_hooks := concat("", [
	`/\.git/(modules/.*/)?`,
	`(hooks(/|$)|config$|config\.worktree$|commondir$|info/attributes$|objects/info/alternates$)`,
])

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some path in input.paths
	path.op in {"write", "delete"}
	regex.match(_hooks, lower(path.resolved))
	reason := sprintf("%s makes git run programs later, and was to be changed.", [substring(path.resolved, 0, 120)])
	help := "Put the hook into a folder of the repository such as hooks/, and let a person install it."
}
