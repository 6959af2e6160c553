# METADATA
# title: Files that run later
# description: |
#   Shell start-up files, schedules, CI workflows and the settings of editors and agents run code later, often outside
#   the sandbox. Changing them is ordinary work at times, so a person is asked.
# custom:
#   held_by: words
package sandgate.rules.persistence.startup_files

_later := concat("", [
	`/(\.bashrc|\.bash_profile|\.bash_login|\.bash_logout|\.profile|\.zshrc|\.zshenv|\.zprofile|\.zlogin|\.inputrc`,
	`|\.envrc|\.gitlab-ci\.yml|\.mcp\.json|\.pre-commit-config\.yaml|\.gitconfig|\.config/git/config)$`,
	`|/(\.github/(workflows|actions)|\.circleci|\.vscode|\.idea|\.claude|\.cursor|\.husky|\.config/autostart`,
	`|\.config/systemd|\.local/share/systemd|etc/cron[a-z.]*|var/spool/cron|etc/profile\.d|etc/systemd)(/|$)`,
])

findings contains {"effect": "ask", "reason": reason, "help": help, "path": path.resolved} if {
	some path in input.paths
	path.op in {"write", "delete"}
	regex.match(_later, lower(path.resolved))
	reason := sprintf("%s runs later and perhaps elsewhere, and would be changed.", [substring(path.resolved, 0, 120)])
	help := "Leave it as it is, or say what should change and why, so that a person can answer."
}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.scheduler
	not _only_lists(command)
	reason := sprintf("%s would start programs later.", [command.name])
	help := "Run it now; with background=true it may live as long as the session."
}

_only_lists(command) if {
	count(command.argv) >= 2
	command.argv[1] in {"-l", "status", "list-units", "is-active", "--version", "show", "cat"}
}
