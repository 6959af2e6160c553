# METADATA
# title: Which rules look at a question
# description: |
#   The list of all rules, each behind the cheap condition that there is something for it to look at. A rule is named
#   in full, because the embedded engine works out every rule of a tree when a reference into it holds a variable.
package sandgate.index

# METADATA
# description: Pairs of a rule's id and a finding of it.
found := [pair |
	some group in [
		_of_scripts(input.script),
		_of_names({command.name | some command in input.commands}, {command.path_kind | some command in input.commands}),
		_of_places(input.commands),
		_of_paths(input.paths),
		_of_programs(data.sandgate.facts.tagged),
		_of_operator(data.sandgate.settings.all),
	]
	some pairs in group
	some pair in pairs
]

_of_scripts(script) := [
	[["code.unreadable", finding] |
		script.parse_error != null
		some finding in data.sandgate.rules.code.unreadable.findings
	],
	[["code.dynamic_text", finding] |
		script.inline_code != []
		some finding in data.sandgate.rules.code.dynamic_text.findings
	],
	[["code.piped", finding] | script.pipe_to_shell != []; some finding in data.sandgate.rules.code.piped.findings],
	[["code.arithmetic", finding] |
		script.latent_arithmetic
		some finding in data.sandgate.rules.code.arithmetic.findings
	],
	[["code.hidden_text", finding] |
		script.control_chars
		some finding in data.sandgate.rules.code.hidden_text.findings
	],
	[["code.remapped", finding] | script.functions != []; some finding in data.sandgate.rules.code.remapped.findings],
	[["resources.bombs", finding] | script.functions != []; some finding in data.sandgate.rules.resources.bombs.findings],
	[["code.remapped", finding] | script.aliases != []; some finding in data.sandgate.rules.code.remapped.findings],
]

# Letters that names of programs are made of; a name that is anything else is looked at.
_plain := `^[A-Za-z0-9_.+:@%,=~!\[\]{}^/\n-]*$`

_of_names(names, kinds) := [
	[["code.dynamic_name", finding] | null in names; some finding in data.sandgate.rules.code.dynamic_name.findings],
	[["code.odd_name", finding] |
		not regex.match(_plain, concat("\n", names - {null}))
		some finding in data.sandgate.rules.code.odd_name.findings
	],
	[["code.lookalike", finding] | "workspace" in kinds; some finding in data.sandgate.rules.code.lookalike.findings],
	[["code.placeholder", finding] |
		"parallel" in names
		some finding in data.sandgate.rules.code.placeholder.findings
	],
]

_of_places(commands) := [
	[["code.placeholder", finding] |
		some command in commands; command.via != []
		some finding in data.sandgate.rules.code.placeholder.findings
	],
	[["environment.loader", finding] |
		_sets(commands)
		some finding in data.sandgate.rules.environment.loader.findings
	],
	[["environment.options", finding] |
		_sets(commands)
		some finding in data.sandgate.rules.environment.options.findings
	],
	[["environment.programs", finding] |
		_sets(commands)
		some finding in data.sandgate.rules.environment.programs.findings
	],
	[["environment.search_path", finding] |
		_sets(commands)
		some finding in data.sandgate.rules.environment.search_path.findings
	],
	[["environment.trust", finding] |
		_sets(commands)
		some finding in data.sandgate.rules.environment.trust.findings
	],
	[["outward.package_index", finding] |
		_sets(commands)
		some finding in data.sandgate.rules.outward.package_index.findings
	],
	[["code.dynamic_redirect", finding] |
		_redirects(commands)
		some finding in data.sandgate.rules.code.dynamic_redirect.findings
	],
	[["outward.fetch", finding] | _redirects(commands); some finding in data.sandgate.rules.outward.fetch.findings],
]

_sets(commands) if {
	some command in commands
	command.assigns != []
}

_redirects(commands) if {
	some command in commands
	command.redirects != []
}

_of_paths([]) := []

_of_paths(paths) := [
	[["files.areas", finding] | some finding in data.sandgate.rules.files.areas.findings],
	[["files.gate", finding] | some finding in data.sandgate.rules.files.gate.findings],
	[["destruction.devices", finding] |
		data.sandgate.facts.guarded
		some finding in data.sandgate.rules.destruction.devices.findings
	],
	[["persistence.hooks", finding] |
		data.sandgate.facts.guarded
		some finding in data.sandgate.rules.persistence.hooks.findings
	],
	[["persistence.startup_files", finding] |
		data.sandgate.facts.guarded
		some finding in data.sandgate.rules.persistence.startup_files.findings
	],
	[["secrets.env_files", finding] |
		data.sandgate.facts.guarded
		some finding in data.sandgate.rules.secrets.env_files.findings
	],
	[["secrets.key_files", finding] |
		data.sandgate.facts.guarded
		some finding in data.sandgate.rules.secrets.key_files.findings
	],
	[["secrets.keys", finding] |
		data.sandgate.facts.guarded
		some finding in data.sandgate.rules.secrets.keys.findings
	],
	[["secrets.process_memory", finding] |
		data.sandgate.facts.guarded
		some finding in data.sandgate.rules.secrets.process_memory.findings
	],
	[["secrets.whole_disk", finding] |
		data.sandgate.facts.guarded
		some finding in data.sandgate.rules.secrets.whole_disk.findings
	],
] if {
	paths != []
}

_of_programs(tagged) := [] if tagged == {}

_of_programs(tagged) := [
	[["code.git_config", finding] | tagged.git; some finding in data.sandgate.rules.code.git_config.findings],
	[["code.program_option", finding] |
		count({"awk", "editor", "launcher", "own_language", "stream_editor"} & object.keys(tagged)) > 0
		some finding in data.sandgate.rules.code.program_option.findings
	],
	[["code.remapped", finding] | tagged.shell_state; some finding in data.sandgate.rules.code.remapped.findings],
	[["destruction.devices", finding] | tagged.disk; some finding in data.sandgate.rules.destruction.devices.findings],
	[["destruction.roots", finding] |
		count({"finder", "launcher", "mover", "remote", "remover", "shredder"} & object.keys(tagged)) > 0
		some finding in data.sandgate.rules.destruction.roots.findings
	],
	[["destruction.history", finding] | tagged.git; some finding in data.sandgate.rules.destruction.history.findings],
	[["destruction.unknown_target", finding] |
		count({"remover", "shredder"} & object.keys(tagged)) > 0
		some finding in data.sandgate.rules.destruction.unknown_target.findings
	],
	[["files.links", finding] | tagged.linker; some finding in data.sandgate.rules.files.links.findings],
	[["outward.fetch", finding] | tagged.fetcher; some finding in data.sandgate.rules.outward.fetch.findings],
	[["outward.force_push", finding] | tagged.git; some finding in data.sandgate.rules.outward.force_push.findings],
	[["outward.package_index", finding] |
		count({"installer", "interpreter"} & object.keys(tagged)) > 0
		some finding in data.sandgate.rules.outward.package_index.findings
	],
	[["outward.publish", finding] |
		count({"interpreter", "publisher"} & object.keys(tagged)) > 0
		some finding in data.sandgate.rules.outward.publish.findings
	],
	[["outward.remote", finding] | tagged.remote; some finding in data.sandgate.rules.outward.remote.findings],
	[["persistence.startup_files", finding] |
		tagged.scheduler
		some finding in data.sandgate.rules.persistence.startup_files.findings
	],
	[["resources.bombs", finding] | tagged.hog; some finding in data.sandgate.rules.resources.bombs.findings],
	[["resources.fillers", finding] | tagged.filler; some finding in data.sandgate.rules.resources.fillers.findings],
	[["privilege.setuid", finding] | tagged.mode; some finding in data.sandgate.rules.privilege.setuid.findings],
	[["privilege.tools", finding] | tagged.privilege; some finding in data.sandgate.rules.privilege.tools.findings],
] if {
	tagged != {}
}

_of_operator(settings) := [
	[["operator.commands", finding] |
		settings.commands != {}
		some finding in data.sandgate.rules.operator.commands.findings
	],
	[["operator.paths", finding] | settings.paths != []; some finding in data.sandgate.rules.operator.paths.findings],
	[["strict.unlisted", finding] |
		settings.profile == "strict"
		some finding in data.sandgate.rules.strict.unlisted.findings
	],
]
