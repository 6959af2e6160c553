# METADATA
# title: Other package indexes
# description: |
#   Installing runs the code of what is installed, so a place beside the configured index is asked about: another index,
#   a repository, an address, on the command line, in a variable or in a package manager's settings.
# custom:
#   held_by: gate
package sandgate.rules.outward.package_index

_help := "Install by name from the configured index, such as `pip install rich`."

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": command.index} if {
	some command in _installers
	_installs(command)
	_elsewhere(command)
	reason := sprintf("%s would install from a place other than the configured index.", [command.name])
}

findings contains {"effect": "ask", "reason": reason, "help": _help} if {
	some assign in data.sandgate.facts.assigns
	regex.match(_variables, assign.name)
	not assign.value in {"", "0", "1", "off", "direct", "sum.golang.org"}
	reason := sprintf("%s would make package managers install from another place.", [substring(assign.name, 0, 60)])
}

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": command.index} if {
	some command in _installers
	regex.match(_stored, command.text)
	not _only_how_modules_are_read(command)
	reason := sprintf("%s would install from another place, or run another program, from now on.", [command.name])
}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.installer
	command.name == "cargo"
	regex.match(_cargo_settings, command.text)
	reason := "cargo was given a setting that names a program to run or a place to install from."
	help := "Build with the project's own settings; sizes and switches are fine."
}

_cargo_settings := `(?m)^--config(=|\n)([^\n]*(runner|linker|rustc|rustdoc|wrapper|replace-with|index)|[^=\n]+$)`

_installers := array.concat([command | some command in data.sandgate.facts.tagged.installer], [command |
	some command in data.sandgate.facts.tagged.interpreter
	regex.match(`(?m)^-[A-Za-z]*m\n?(pip|uv|poetry|pipx|pipenv)$`, command.text)
])

_variables := concat("", [
	`(?i)^(pip_(index_url|extra_index_url|find_links|no_index|config_file|constraint|requirement)|uv_(index`,
	`|index_url|extra_index_url`,
	`|default_index|find_links|config_file|index_.*)|goproxy|gonosumdb|gonosumcheck|goinsecure|gosumdb`,
	`|cargo_registr.*|cargo_source_.*`,
	`|poetry_repositories_.*|pipenv_pypi_mirror|conda_channels|condarc|yarn_(npm_)?registry.*|bun_config_registry`,
	`|gem_source|bundle_mirror.*`,
	`|composer_repo.*|npm_config_@.*|nuget_.*source.*|playwright_download_host|electron_mirror|puppeteer_download_.*`,
	`|rustup_(dist_server|update_root)|corepack_npm_registry|uv_python_install_mirror|cypress_install_binary`,
	`|sass_binary_site|nvm_nodejs_org_mirror)$`,
])

_stored := concat("", [
	`(?m)(^config\n(set|--global\nset|--user\nset|--site\nset)\n[^\n]*(registry|index|find-links|trusted|proxy|cert`,
	`|cafile|script-shell`,
	`|userconfig|globalconfig|prefix|node-options|git$|shell|init-module|strict-ssl))|^env\n-w\n|^source\nadd\n`,
	`|^sources\n(-a|--add)`,
	`|^config\nrepositories\.|^set\n(registry|script-shell)|^config\n(.*\n)*(edit|--add\nchannels|mirror\.)`,
	`|^plugin\n(import|add)\n|^set\nversion\n[^\n]*(://|/)|^--?script-shell(=|$)`,
])

_only_how_modules_are_read(command) if {
	command.name == "go"
	regex.match(`^env\n-w\nGOFLAGS=-mod=(mod|vendor|readonly)$`, command.text)
}

_options := concat("", [
	`(?m)^(-i|--inde?x?(-url)?|--index-[a-z-]+|--ext[a-z-]*|--default-index|--find-links|-f|--registry|--proxy`,
	`|--trusted-host)(=|$)`,
])

_elsewhere(command) if {
	regex.match(_options, command.text)
	not _here(command)
}

_elsewhere(command) if {
	some word in _sources(command)
	regex.match(_addresses, word)
	not regex.match(`^https?://(localhost|127\.0\.0\.1|\[::1\])([:/]|$)`, word)
}

_elsewhere(command) if regex.match(_own_options[command.name], command.text)

# A name with one slash is a repository at a well-known host.
_elsewhere(command) if {
	command.name in {"npm", "pnpm", "yarn", "bun", "npx", "bunx"}
	not _runs_a_script(command)
	some word in _sources(command)
	regex.match(`^([a-z0-9@/._-]+@)?((github|gitlab|bitbucket|gist):|[A-Za-z0-9_-]+/[A-Za-z0-9_.-]+(#.*)?$)`, word)
	not startswith(word, "@")
}

# Of the project's own; a package is run by exec or dlx.
_runs_a_script(command) if data.sandgate.facts.sub_command(command)[0] in {"run", "run-script", "test", "start"}

_own_options := {
	"cargo": `(?m)^--(git|index|registry)(=|$)`,
	"gem": `(?m)^(-s|--source)(=|$)`,
	"conda": `(?m)^(-c|--channel)(=|\n)[^\n]*(://|/)`,
	"mamba": `(?m)^(-c|--channel)(=|\n)[^\n]*(://|/)`,
	"composer": `(?m)^--repository(=|$)`,
	"dotnet": `(?m)^(-s|--source)(=|$)`,
}

_acts := concat("", [
	`(?m)^(install|add|download|sync|i|in|isntall|run|exec|dlx|x|wheel|tool|ci|update|upgrade|require|create|init`,
	`|inject|get|global|link`,
	`|package|build)$`,
])

_installs(command) if regex.match(_acts, command.text)

_installs(command) if command.name in _runners

_runners := {"npx", "uvx", "bunx", "pipx", "pnpx", "deno"}

# Of what is started with its own words only what comes first is a package; an address behind it is its business.
_sources(command) := command.words if not _starts(command)

_sources(command) := array.concat(_first(command), [word |
	some at, word in command.words
	at > 0
	regex.match(`^(--from|--with|--package|-p|--spec|--with-editable)$`, command.words[at - 1])
]) if {
	_starts(command)
}

_first(command) := array.slice([word |
	some word in command.words
	not regex.match(`^(-|run$|exec$|dlx$|x$|tool$|install$)`, word)
], 0, 1)

_starts(command) if command.name in {"npx", "uvx", "bunx", "pnpx"}

# By its verb: a package may be named x.
_starts(command) if {
	verbs := array.slice(data.sandgate.facts.sub_command(command), 0, 2)
	regex.match(`^(tool )?(run|exec|dlx|x)( |$)`, concat(" ", [verb | some verb in verbs; is_string(verb)]))
	command.name != "deno"
}

_addresses := concat("", [
	`^(-[a-z])?((git|hg|svn|bzr)\+|(git|https?|ssh|ftp)://|--[a-z-]+=([a-z]+\+)?(git|https?|ssh|ftp)://`,
	`|[A-Za-z0-9_.\[\]/@-]+ ?@ ?(git\+|git://|ssh:|https?:))`,
])

# Short -f is --force for npm and its like, and a folder of wheels is a place here.
_here(command) if {
	command.name in {
		"npm", "pnpm", "yarn", "cargo", "gem", "deno", "conda", "composer", "bun", "npx", "dotnet", "go", "poetry", "pdm",
	}
	not regex.match(`(?m)^--(reg|proxy)`, command.text)
}

# An index on this machine.
_here(command) if {
	left := regex.replace(command.text, _local, "")
	left != command.text
	not regex.match(_options, left)
}

_local := concat("", [
	`(?m)^(-i|--(extra-)?index-url|--index|--default-index|--registry)(=|\n)https?://(localhost|127\.0\.0\.1)(:[0-9]+)?`,
	`(/[^\n@]*)?(\n|$)|^--trusted-host(=|\n)(localhost|127\.0\.0\.1)(:[0-9]+)?(\n|$)`,
])

_here(command) if {
	regex.match(`(?m)^(-f|--find-links)(=|\n)(\.|/)`, command.text)
	not regex.match(`(?m)^(-i|--inde?x?|--index-|--ext|--default-index|--reg|--proxy|--trusted)`, command.text)
}
