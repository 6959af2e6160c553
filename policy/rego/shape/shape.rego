# METADATA
# title: The shape of a question
# description: |
#   Rules trust types, because a builtin given the wrong type is an error in one engine and undefined in another. So the
#   types are checked here, once, and a question of another shape is denied before any rule looks at it. Functions, not
#   rules, because the embedded engine takes ten times as long to begin a rule as to call a function.
package sandgate.shape

_profiles := {"open", "standard", "strict"}

_tools := {
	"shell", "exec", "file_read", "file_write", "file_edit", "file_list", "file_search", "session_open", "session_list",
	"session_close", "session_snapshot", "job_output", "job_input", "job_stop", "policy_check",
}

# More would be slow to judge, and no person could review it.
_most_commands := 200

# METADATA
# description: Whether the rules may trust the types of input, and input is a question that they know.
sound if {
	data.sandgate.settings.all.profile in _profiles
	input.version == 1
	input.tool in _tools
	_about(input.caller, input.session)
	_script(input.script)
	_commands(input.commands)
	_paths(input.paths)
	not _lacks_its_object(input)
}

# METADATA
# description: Why input is not sound, for the person who has to find out.
faults contains "The question is not one that these rules can judge." if not sound

faults contains "No profile is set, so nothing is allowed." if not data.sandgate.settings.all.profile in _profiles

faults contains "The question has a version that these rules do not know." if _part("version") != 1

faults contains "This tool is not known to the policy." if not _part("tool") in _tools

faults contains "The facts about the command are missing or misshapen." if not _script(_part("script"))

faults contains "The commands are missing or misshapen, or more than 200." if not _commands(_part("commands"))

faults contains "The paths are missing or misshapen." if not _paths(_part("paths"))

# With a default, because engines differ on a negation around what is undefined.
_part(name) := object.get(input, name, null)

faults contains "What the tool was to work on could not be read." if _lacks_its_object(input)

_about(caller, session) if {
	[
		type_name(caller.id), type_name(caller.roles),
		type_name(session.environment), type_name(session.home), type_name(session.workspaces),
	] == ["string", "array", "string", "string", "array"]
	{type_name(path) | some path in session.workspaces} == {"string"}
}

# Of most scripts there is nothing to tell, and to compare that is cheaper than to look at each part.
_script(script) if script == _untold

_untold := {
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
	script != _untold
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

_commands(commands) if {
	is_array(commands)
	count(commands) <= _most_commands
	every command in commands {
		[
			type_name(command.argv), type_name(command.dynamic), type_name(command.known), type_name(command.via),
			type_name(command.assigns), type_name(command.redirects), type_name(command.other_cwds),
			type_name([command.name, command.cwd, command.path_kind]),
		] == ["array", "array", "array", "array", "array", "array", "array", "array"]
	}
	count({type_name(text) |
		some command in commands
		some texts in [
			command.argv, command.known, command.other_cwds, [command.name, command.cwd, command.path_kind],
		]
		some text in texts
	} - {"string", "null"}) == 0
	count([1 | some command in commands; some via in command.via; not is_string(via)]) == 0
	count([1 | some command in commands; some assign in command.assigns; not _assign(assign)]) == 0
	count([1 | some command in commands; some redirect in command.redirects; not _redirect(redirect)]) == 0
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
	count([1 | some path in paths; not _path(path)]) == 0
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
