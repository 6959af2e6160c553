# METADATA
# title: The shape of a question
# description: |
#   Rules trust types, because a builtin given the wrong type is an error in one engine and undefined in another. So the
#   types are checked here, once, and a question of another shape is denied before any rule looks at it. Functions, not
#   rules, because the embedded engine takes ten times as long to begin a rule as to call a function.
package sandgate.shape

_tools := {
	"shell", "exec", "file_read", "file_write", "file_edit", "file_list", "file_search", "session_open", "session_list",
	"session_close", "session_snapshot", "job_output", "job_input", "job_stop", "policy_check",
}

# METADATA
# description: Whether the rules may trust the types of input, and input is a question that they know.
sound if {
	data.sandgate.settings.all.profile in {"open", "standard", "strict"}
	input.version == 1
	input.tool in _tools
	_about(input.caller, input.session, data.sandgate.settings.place)
	_script(input.script)
	_commands(input.commands)
	_paths(input.paths)
	not _lacks_its_object(input)
}

# METADATA
# description: Why input is not sound, for the person who has to find out.
faults contains "The question is not one that these rules can judge." if not sound

faults contains "No profile is set, so nothing is allowed." if {
	not data.sandgate.settings.all.profile in {"open", "standard", "strict"}
}

faults contains "The question has a version that these rules do not know." if _part("version") != 1

faults contains "This tool is not known to the policy." if not _part("tool") in _tools

faults contains "The facts about the command are missing or misshapen." if not _script(_part("script"))

faults contains "The commands are missing or misshapen, or more than 200." if not _commands(_part("commands"))

faults contains "The paths are missing or misshapen, or more than 1000: name folders, or fewer files at a time." if {
	not _paths(_part("paths"))
}

# With a default, because engines differ on a negation around what is undefined.
_part(name) := object.get(input, name, null)

faults contains "What the tool was to work on could not be read." if _lacks_its_object(input)

_about(caller, session, place) if {
	is_string(caller.id)
	is_array(caller.roles)
	is_string(session.environment)
	place.workspaces != []
}

# Of most scripts there is nothing to tell, and to compare that is cheaper than to look at each part.
_script(script) if script == untold

# METADATA
# description: The facts about a script of which there is nothing to tell.
untold := {
	"functions": [],
	"aliases": [],
	"pipe_to_shell": [],
	"hosts": [],
	"inline_code": [],
	"latent_arithmetic": false,
	"control_chars": false,
	"parse_error": null,
}

_script(script) if {
	script != untold
	[
		type_name(script.functions), type_name(script.aliases), type_name(script.pipe_to_shell), type_name(script.hosts),
		type_name(script.inline_code), type_name(script.latent_arithmetic), type_name(script.control_chars),
	] == ["array", "array", "array", "array", "array", "boolean", "boolean"]
	type_name(script.parse_error) in {"string", "null"}
	lists := array.concat(array.concat(script.functions, script.aliases), script.pipe_to_shell)
	count([1 | some text in lists; not is_string(text)]) == 0
	count([1 | some code in script.inline_code; not _inline(code)]) == 0
}

_inline(code) if {
	is_string(code.interpreter)
	type_name(code.code) in {"string", "null"}
}

# Types are told by comparing, in the order null < booleans < numbers < strings < arrays < objects: a builtin costs the
# embedded engine as much as ten comparisons, and every text of every command is looked at.
_commands(commands) if {
	is_array(commands)
	count(commands) <= 200 # more would be slow to judge, and no person could review it
	words := [[
		command.argv, command.known, command.other_cwds, command.via, [command.name, command.cwd, command.path_kind],
	] |
		some command in commands
		command.argv >= []
		command.argv < {}
		command.known >= []
		command.known < {}
		command.other_cwds >= []
		command.other_cwds < {}
		command.via >= []
		command.via < {}
		command.dynamic >= []
		command.dynamic < {}
		command.assigns >= []
		command.assigns < {}
		command.redirects >= []
		command.redirects < {}
	]
	count(words) == count(commands)
	texts := array.concat([""], [text | some lists in words; some list in lists; some text in list; text != null])
	[min(texts), max(texts) < []] == ["", true]
	[1 | some command in commands; null in command.via] == []
	[1 | some command in commands; some assign in command.assigns; not _assign(assign)] == []
	[1 | some command in commands; some redirect in command.redirects; not _redirect(redirect)] == []
}

_assign(assign) if {
	is_string(assign.name)
	type_name(assign.value) in {"string", "null"}
}

_redirect(redirect) if {
	is_string(redirect.op)
	is_boolean(redirect.dynamic)
	type_name(redirect.path) in {"string", "null"}
}

_paths(paths) if {
	is_array(paths)
	count(paths) <= 1000 # as for commands; policy/path.py stops counting behind it
	[1 | some path in paths; not _path(path)] == []
}

_path(path) if {
	is_string(path.asked)
	is_string(path.resolved)
	path.op in {"read", "write", "delete", "list"}
	path.area in {"workspace", "tmp", "home", "system", "proc", "gate"}
}

_lacks_its_object(question) if {
	question.tool == "exec"
	question.commands == []
	is_null(question.script.parse_error)
}

_lacks_its_object(question) if {
	question.paths == []
	question.tool in {"file_read", "file_write", "file_edit", "file_list", "file_search"}
}
