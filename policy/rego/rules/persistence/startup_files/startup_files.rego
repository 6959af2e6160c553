# METADATA
# title: Files that run later
# description: |
#   Shell start-up files, schedules, CI workflows and the settings of editors and agents run code later, often outside
#   the sandbox. Changing them is ordinary work at times, so a person is asked.
# custom:
#   held_by: words
package sandgate.rules.persistence.startup_files

_later := concat("", [
	`/(\.bashrc|\.bash_(profile|login|logout|aliases)|\.profile|\.z(shrc|shenv|profile|login|logout)|\.inputrc|\.envrc`,
	`|\.(npm|yarn|curl|wget|vim|gvim|psql|sqlite|irb|pry|python|ack|ripgrep|mail|screen|mutt)rc|\.yarnrc\.yml`,
	`|\.(ksh|mksh|csh|tcsh|pdb|ex|nvim|bazel|nano|gem|rvm|sbt|maven|hg|xinit|procmail)rc|\.(login|rprofile|ghci|ctags`,
	`|xprofile|xsession|pam_environment|forward|mailcap|emacs|lesskey|lessfilter|dircolors|mise\.toml)`,
	`|\.hg/hgrc|\.bundle/config|\.subversion/config|\.lein/profiles\.clj|\.jupyter/[^/]*\.py`,
	`|\.pnpmfile\.cjs|\.(gdb|lldb)init|\.tmux\.conf|\.gitconfig|\.xonshrc|pip\.conf`,
	`|\.cargo/config(\.toml)?|\.m2/settings\.xml|\.gradle/init\.gradle(\.kts)?|\.ssh/(config|rc|environment`,
	`|authorized_keys2?)`,
	`|\.mcp\.json|\.pre-commit-config\.yaml|lefthook\.ya?ml|\.lintstagedrc.*|jenkinsfile|azure-pipelines\.ya?ml`,
	`|bitbucket-pipelines\.ya?ml|\.(gitlab-ci|travis|drone|cirrus|appveyor|woodpecker)\.ya?ml|(site|user)customize\.py`,
	`|site-packages/[^/]*\.pth)$`,
	`|/(\.github/(workflows|actions)|\.circleci|\.buildkite|\.woodpecker|\.vscode|\.idea|\.zed|\.devcontainer|\.claude`,
	`|\.cursor|\.windsurf|\.continue|\.codex|\.gemini|\.husky|\.config/(autostart|systemd|fish|nvim|environment\.d`,
	`|direnv|mise|tmux|powershell|containers|git|nushell|elvish|xonsh)`,
	`|\.emacs\.d|\.ipython/profile_[a-z]+/startup|\.julia/config`,
	`|\.gradle/init\.d|\.ctags\.d|\.local/share/applications`,
	`|\.vim/plugin|\.local/share/systemd|etc/cron[a-z.]*|var/spool/cron|etc/profile\.d|etc/systemd)(/|$)`,
])

# Folders on the search path: what lies there answers to a command's name.
_found_first(path) if {
	regex.match(
		concat("", ["^/(", data.sandgate.settings.tool_folders, ")(/|$)"]),
		trim_prefix(path, data.sandgate.settings.all.home),
	)
}

findings contains {"effect": "ask", "reason": reason, "help": help, "path": path.resolved} if {
	some path in input.paths
	path.op in {"write", "delete"}
	_runs_later(path.resolved)
	reason := sprintf("%s runs later and perhaps elsewhere, and would be changed.", [substring(path.resolved, 0, 120)])
	help := "Leave it as it is, or say what should change and why, so that a person can answer."
}

# What is unpacked or copied into the home folder as a whole may hold any of them.
findings contains {"effect": "ask", "reason": reason, "help": help, "path": path.resolved} if {
	some path in input.paths
	path.op == "write"
	path.resolved == data.sandgate.settings.all.home
	reason := "Files would be put into the home folder, and those that shells read at start may be among them."
	help := "Unpack or copy into a folder of its own, such as /tmp/x or a folder of the workspace."
}

_runs_later(path) if regex.match(_later, lower(path))

_runs_later(path) if {
	startswith(path, data.sandgate.settings.all.home)
	_found_first(path)
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
