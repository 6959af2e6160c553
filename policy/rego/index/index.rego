# METADATA
# title: Which rules look at a question
# description: |
#   The list of all rules, each behind the cheap condition that there is something for it to look at. A rule is named
#   in full, because the embedded engine works out every rule of a tree when a reference into it holds a variable.
package sandgate.index

# METADATA
# description: |
#   Pairs of a rule's id and a finding of it. Each group stands behind what all its rules need, because the embedded
#   engine pays for each list that it makes, empty ones as well.
found := [pair |
	some groups in [
		[_of_scripts(script) | script := input.script; script != data.sandgate.shape.untold],
		[_of_names(names, kinds) |
			names := {command.name | some command in input.commands}
			kinds := {command.path_kind | some command in input.commands}
			not _is_ordinary(names, kinds)
		],
		{_of_wrappers | some command in input.commands; command.via != []},
		{_of_assigns | some command in input.commands; some assign in command.assigns; _means_something(assign.name)},
		{_of_publishing | some command in input.commands; command.argv[1] == "publish"},
		[_of_redirects(redirects) |
			redirects := [redirect | some command in input.commands; some redirect in command.redirects]
			redirects != []
		],
		{_of_areas | some path in input.paths; not path.area in {"workspace", "tmp", "home"}},
		[_of_guarded | input.paths != []; data.sandgate.facts.guarded(input.paths)],
		[group |
			data.sandgate.facts.tagged != {}
			some group in _of_programs(object.keys(data.sandgate.facts.tagged) - {"interpreter" | not _is_a_tool})
		],
		[_of_operator(data.sandgate.settings.all)],
	]
	some group in groups
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

_is_ordinary(names, kinds) if {
	not "workspace" in kinds
	not null in names
	_is_plain(names)
}

# Letters that names of programs are made of; a name that is anything else is looked at.
_is_plain(names) if regex.match(`^[A-Za-z0-9_.+:@%,=~!\[\]{}^/\n-]*$`, concat("\n", names - {null}))

_of_names(names, kinds) := [
	[["code.dynamic_name", finding] | null in names; some finding in data.sandgate.rules.code.dynamic_name.findings],
	[["code.odd_name", finding] |
		not _is_plain(names)
		some finding in data.sandgate.rules.code.odd_name.findings
	],
	[["code.lookalike", finding] | "workspace" in kinds; some finding in data.sandgate.rules.code.lookalike.findings],
]

_of_wrappers := [
	[["code.placeholder", finding] | some finding in data.sandgate.rules.code.placeholder.findings],
]

_of_publishing := [
	[["outward.publish", finding] | some finding in data.sandgate.rules.outward.publish.findings],
]

# One or two small letters, as loops have them, mean nothing to any program.
_means_something(name) if not regex.match(`^[a-z]{1,2}$`, name)

_of_assigns := [
	[["environment.loader", finding] | some finding in data.sandgate.rules.environment.loader.findings],
	[["environment.options", finding] | some finding in data.sandgate.rules.environment.options.findings],
	[["environment.programs", finding] | some finding in data.sandgate.rules.environment.programs.findings],
	[["environment.search_path", finding] | some finding in data.sandgate.rules.environment.search_path.findings],
	[["environment.trust", finding] | some finding in data.sandgate.rules.environment.trust.findings],
	[["outward.package_index", finding] | some finding in data.sandgate.rules.outward.package_index.findings],
]

_of_redirects(redirects) := [
	[["code.dynamic_redirect", finding] |
		true in {redirect.dynamic | some redirect in redirects}
		some finding in data.sandgate.rules.code.dynamic_redirect.findings
	],
	[["outward.fetch", finding] |
		_to_a_device(redirects)
		some finding in data.sandgate.rules.outward.fetch.findings
	],
]

_to_a_device(redirects) if {
	some redirect in redirects
	is_string(redirect.path)
	startswith(redirect.path, "/dev/")
	redirect.path != "/dev/null"
}

_of_areas := [
	[["files.areas", finding] | some finding in data.sandgate.rules.files.areas.findings],
	[["files.gate", finding] | some finding in data.sandgate.rules.files.gate.findings],
]

_of_guarded := [
	[["destruction.devices", finding] | some finding in data.sandgate.rules.destruction.devices.findings],
	[["persistence.hooks", finding] | some finding in data.sandgate.rules.persistence.hooks.findings],
	[["persistence.startup_files", finding] | some finding in data.sandgate.rules.persistence.startup_files.findings],
	[["secrets.env_files", finding] | some finding in data.sandgate.rules.secrets.env_files.findings],
	[["secrets.key_files", finding] | some finding in data.sandgate.rules.secrets.key_files.findings],
	[["secrets.keys", finding] | some finding in data.sandgate.rules.secrets.keys.findings],
	[["secrets.process_memory", finding] | some finding in data.sandgate.rules.secrets.process_memory.findings],
	[["secrets.whole_disk", finding] | some finding in data.sandgate.rules.secrets.whole_disk.findings],
]

# By what programs are for: for most commands one of these groups is looked at, or none. Two sets have something in
# common where one less the other is not what it was.
_of_programs(kinds) := [group |
	some groups in [
		[_of_git | "git" in kinds],
		[_of_changes(kinds) |
			kinds - {
				"disk", "filler", "finder", "interpreter", "launcher", "linker", "mode", "mover", "remote", "remover",
				"shredder", "unpacker",
			} != kinds
		],
		[_of_outward(kinds) | kinds - {"fetcher", "installer", "interpreter", "publisher", "remote"} != kinds],
		[_of_powers(kinds) |
			kinds - {
				"awk", "editor", "hog", "killer", "launcher", "own_language", "privilege", "scheduler", "shell_state",
				"stream_editor",
			} != kinds
		],
	]
	some group in groups
]

# python -m pip is pip, python -m twine is twine and python -m tarfile unpacks; nothing else makes an interpreter a tool
# of the rules below.
_is_a_tool if {
	some command in data.sandgate.facts.tagged.interpreter
	regex.match(`(?m)^-[A-Za-z]*m\n?(flit|hatch|pdm|pip|poetry|tarfile|twine|uv)|^setup\.py\n`, command.text)
}

_of_git := [
	[["code.git_config", finding] | some finding in data.sandgate.rules.code.git_config.findings],
	[["destruction.history", finding] | some finding in data.sandgate.rules.destruction.history.findings],
	[["outward.force_push", finding] | some finding in data.sandgate.rules.outward.force_push.findings],
]

_of_changes(kinds) := [
	[["destruction.devices", finding] |
		"disk" in kinds
		some finding in data.sandgate.rules.destruction.devices.findings
	],
	[["destruction.roots", finding] |
		kinds - {"finder", "launcher", "mover", "remover", "shredder"} != kinds
		some finding in data.sandgate.rules.destruction.roots.findings
	],
	[["destruction.roots", finding] |
		"rsync" in {command.name | some command in object.get(data.sandgate.facts.tagged, "remote", [])}
		some finding in data.sandgate.rules.destruction.roots.findings
	],
	[["destruction.unknown_target", finding] |
		kinds - {"remover", "shredder"} != kinds
		some finding in data.sandgate.rules.destruction.unknown_target.findings
	],
	[["files.links", finding] | "linker" in kinds; some finding in data.sandgate.rules.files.links.findings],
	[["files.unpacking", finding] |
		kinds - {"interpreter", "unpacker"} != kinds
		some finding in data.sandgate.rules.files.unpacking.findings
	],
	[["privilege.setuid", finding] | "mode" in kinds; some finding in data.sandgate.rules.privilege.setuid.findings],
	[["resources.fillers", finding] |
		"filler" in kinds
		some finding in data.sandgate.rules.resources.fillers.findings
	],
]

_of_outward(kinds) := [
	[["outward.fetch", finding] | "fetcher" in kinds; some finding in data.sandgate.rules.outward.fetch.findings],
	[["outward.package_index", finding] |
		kinds - {"installer", "interpreter"} != kinds
		some finding in data.sandgate.rules.outward.package_index.findings
	],
	[["outward.publish", finding] |
		kinds - {"interpreter", "publisher"} != kinds
		some finding in data.sandgate.rules.outward.publish.findings
	],
	[["outward.remote", finding] | "remote" in kinds; some finding in data.sandgate.rules.outward.remote.findings],
]

_of_powers(kinds) := [
	[["code.program_option", finding] |
		kinds - {"awk", "editor", "launcher", "own_language", "stream_editor"} != kinds
		some finding in data.sandgate.rules.code.program_option.findings
	],
	[["code.remapped", finding] | "shell_state" in kinds; some finding in data.sandgate.rules.code.remapped.findings],
	[["persistence.startup_files", finding] |
		"scheduler" in kinds
		some finding in data.sandgate.rules.persistence.startup_files.findings
	],
	[["privilege.tools", finding] | "privilege" in kinds; some finding in data.sandgate.rules.privilege.tools.findings],
	[["resources.bombs", finding] |
		count({"hog", "killer"} & kinds) > 0
		some finding in data.sandgate.rules.resources.bombs.findings
	],
]

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
