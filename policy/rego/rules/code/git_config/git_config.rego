# METADATA
# title: Git settings that run programs
# description: |
#   Many git settings and options name a program that git then runs: now with -c or an option, or later when they are
#   stored with git config.
# custom:
#   held_by: words
package sandgate.rules.code.git_config

_help := "Use git's own commands; settings such as user.name, user.email or init.defaultBranch are fine."

_runs := concat("", [
	`(?i)^(alias\..*|core\.(fsmonitor|pager|editor|sshcommand|hookspath|askpass|gitproxy|alternaterefscommand`,
	`|worktree)`,
	`|diff\.external|(diff|merge)\..*\.(command|textconv|driver)|(difftool|mergetool|browser|man|guitool)\..*(cmd`,
	`|path)`,
	`|filter\..*\.(clean|smudge|process)|credential(\..*)?\.helper|gpg(\..*)?\.(program|defaultkeycommand)`,
	`|sequence\.editor|pager\..*|gc\.recentobjectshook|hook\..*\.command|imap\.tunnel`,
	`|lfs\.(customtransfer\..*\.path|extension\..*\.(clean|smudge))`,
	`|interactive\.difffilter|include(if\..*)?\.path|uploadpack\..*|protocol\..*|remote\..*\.(uploadpack|receivepack`,
	`|vcs|proxy)`,
	`|submodule\..*\.update|sendemail\..*|init\.templatedir|url\..*|http\..*proxy|http\.proxy|web\.browser`,
	`|help\.browser|remote\..*\.url=(ext|fd)::.*`,
	`|ssh\.variant|trailer\..*\.(command|cmd)|instaweb\..*|tar\..*\.command)(=|$)`,
])

_tame := concat("", [
	`(?i)^(core\.pager|pager\.[a-z-]+|core\.editor|sequence\.editor|core\.askpass)=`,
	`(cat|less|more|true|false|:|vim|vi|nano|)$`,
	`|^protocol\.((file|git|https?|ssh)\.allow=(always|never|user)|version=[0-2])$`,
	`|^sequence\.editor=`, data.sandgate.settings.todo_editor, `$`,
])

_replaces := `(?m)^(--exec-path=|--upload-p|--receive-p|(--remote=)?ext::)`

_drives := `(?m)^--(ext(-|c|=|$)|textc|tool|templ)`

# One look that spares most commands the closer ones.
_suspects := [command |
	some command in data.sandgate.facts.tagged.git
	regex.match(
		concat("", [
			`(?m)^(-[a-z]*c|--con|config$|--exec-path=|--upload-p|--receive-p|ext::|--remote=ext|-[a-zA-Z]*O|--op|--ex|--textc`,
			`|--tool|--templ|-t$|-[a-z]*u|remote-(ext|fd)$|credential)`,
		]),
		command.text,
	)
]

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in _suspects
	regex.match(`(?m)^(-c|--config-env|--config)$`, command.text)
	some at, word in command.argv
	word in {"-c", "--config-env", "--config"}
	_configures(command, at, word)
	setting := command.argv[at + 1]
	_dangerous_with(word, setting)
	reason := sprintf("git %s %s names a program for git to run.", [word, _shown(setting)])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in _suspects
	contains(command.text, "--config")
	some word in command.words
	regex.match(`^--config(-env)?=`, word)
	_dangerous_with(word, regex.replace(word, `^--config(-env)?=`, ""))
	reason := sprintf("git %s names a program for git to run.", [_shown(word)])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in _suspects
	data.sandgate.facts.sub_command(command)[0] == "clone"
	some setting in _cloned_with(command)
	_dangerous(setting)
	reason := sprintf("git clone with %s names a program for git to run.", [_shown(setting)])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in _suspects
	verbs := data.sandgate.facts.sub_command(command)
	verbs[0] == "config"
	some at, word in verbs
	at > 0
	_stores(verbs, at)
	reason := sprintf("git config %s would make git run a program from now on.", [_shown(word)])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in _suspects
	regex.match(_replaces, command.text)
	some word in command.words
	regex.match(_replaces, word)
	reason := sprintf("git %s replaces programs that git runs.", [_shown(word)])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in _suspects
	verb := data.sandgate.facts.sub_command(command)[0]
	regex.match(_replaces_for[verb], command.text)
	reason := sprintf("git %s was given an option that names a program for git to run.", [verb])
}

# clone -u is --upload-pack, as --exec is for some; the others are transports that start whatever they are told.
_replaces_for := object.union(
	{"clone": `(?m)^-[a-z]*u`, "remote-ext": `^`, "remote-fd": `^`},
	{verb: `(?m)^--exe` | some verb in ["push", "send-pack", "ls-remote", "fetch-pack", "archive"]},
)

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": command.index} if {
	some command in _suspects
	data.sandgate.facts.sub_command(command)[0] in {"difftool", "mergetool"}
	regex.match(`(?m)^-t$`, command.text)
	reason := "git -t runs a tool that the repository's settings name."
}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in _suspects
	verbs := data.sandgate.facts.sub_command(command)
	regex.match(`^credential(-store|-cache)?$`, verbs[0])
	verbs[count(verbs) - 1] in {"fill", "get"}
	reason := sprintf("git %s prints what git would log in with.", [verbs[0]])
	help := "Fetch as usual: the operator gives credentials to a host, and the gate adds them on the way."
}

# Whom it trusts, and whom it talks through.
findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in _suspects
	regex.match(`(?im)^http\.([^\n]*\.)?(sslverify|sslca(info|path))([=\n]|$)`, command.text)
	not regex.match(`(?m)^(get|list|unset|--get|--get-all|--unset|--unset-all)$`, command.text)
	reason := "git would trust somebody else than the system does."
	help := "Leave it as it is: git reaches every allowed host, and trusts the sandbox's gate."
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in _suspects
	data.sandgate.facts.sub_command(command)[0] == "grep"
	regex.match(`(?m)^(-[a-zA-Z]*O|--op)`, command.text)
	reason := "git grep -O runs a program on what it finds."
}

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": command.index} if {
	some command in _suspects
	regex.match(_drives, command.text)
	some word in command.words
	regex.match(_drives, word)
	reason := sprintf("git %s runs a program that the repository's settings name.", [_shown(word)])
}

# Its -c may be written in one word with other letters or with its value, its --config may be shortened.
_cloned_with(command) := {command.argv[at + 1] |
	some at, word in command.argv
	is_string(word)
	regex.match(_sets_alone, word)
} |
	{value |
		some word in command.words
		value := regex.replace(word, `^(-[a-z]*?c|--con[a-z]*=)`, "")
		not value in {word, ""}
	}

_sets_alone := `^(-[a-z]*c|--con[a-z]*)$`

# Behind its verb -c is the verb's own (git switch -c name); that of clone is above.
_configures(_, _, word) if word != "-c"

_configures(command, at, _) if at < count(command.argv) - count(data.sandgate.facts.sub_command(command))

_configures(command, _, _) if data.sandgate.facts.sub_command(command)[0] == null

# The value of --config-env is the name of a variable, so nothing is known of it.
_dangerous_with(_, setting) if _dangerous(setting)

_dangerous_with(word, setting) if {
	startswith(word, "--config-env")
	regex.match(_runs, setting)
}

_dangerous(setting) if is_null(setting)

_dangerous(setting) if {
	is_string(setting)
	regex.match(_runs, setting)
	not regex.match(_tame, setting)
	not _plain_alias(setting)
}

# An alias for git's own commands is what it says; only those with ! run a shell.
_plain_alias(setting) if {
	regex.match(`(?i)^alias\.[^=]*=[^!]*$`, setting)
}

# Reading or removing a setting is harmless; a key that is only known when it runs is not.
_stores(verbs, at) if verbs[at] in {"--edit", "-e", "--rename-section"}

_stores(verbs, 1) if verbs[1] in {"edit", "rename-section"}

_stores(verbs, 1) if is_null(verbs[1])

_stores(verbs, at) if {
	is_null(verbs[at])
	startswith(verbs[at - 1], "-")
}

_stores(verbs, at) if {
	_dangerous(_setting(verbs[at], array.slice(verbs, at + 1, at + 2)))
	count(verbs) > at + 1
	not verbs[1] in {"get", "list", "unset", "--get", "--get-all", "--unset", "--unset-all"}
}

_setting(key, value) := concat("=", array.concat([key], value)) if {
	is_string(key)
	not null in value
}

_setting(key, [null]) := concat("", [key, "=!"]) if is_string(key)

_shown(word) := substring(word, 0, 60) if is_string(word)

_shown(word) := "..." if is_null(word)
