# METADATA
# title: Questions for tests
# description: Whole questions from the parts that a test is about; what is left out is an ordinary question's.
package sandgate.testing

runs(argvs) := asks({"commands": [{"argv": argv} | some argv in argvs]})

file(tool, op, path, area) := asks({
	"tool": tool,
	"paths": [{"asked": path, "resolved": path, "op": op, "area": area}],
})

asks(parts) := object.union(object.union(_question, parts), {
	"commands": [_command(given) | some given in object.get(parts, "commands", [])],
	"script": object.union(_script, object.get(parts, "script", {})),
})

effects(findings) := {finding.effect | some finding in findings}

_command(given) := object.union(object.union(_plain, _read(given.argv)), given)

_plain := {
	"path_kind": "bare",
	"assigns": [],
	"redirects": [],
	"cwd": "/workspace",
	"other_cwds": [],
	"elsewhere": false,
	"via": [],
	"span": [0, 0],
}

_read(argv) := {
	"name": _name(argv),
	"dynamic": [_reason(word) | some word in argv],
	"known": ["" | some _ in argv],
}

_name([]) := ""

_name(argv) := parts[count(parts) - 1] if {
	is_string(argv[0])
	parts := split(argv[0], "/")
}

_name(argv) := null if is_null(argv[0])

_reason(word) := "" if is_string(word)

_reason(word) := "param" if is_null(word)

_question := {
	"version": 1,
	"caller": {"id": "local", "roles": []},
	"tool": "shell",
	"session": {
		"name": "default",
		"environment": "python",
		"home": "/home/agent",
		"workspaces": ["/workspace"],
	},
	"call": {"command": ""},
	"commands": [],
	"paths": [],
}

_script := {
	"functions": [],
	"aliases": [],
	"inline_code": [],
	"pipe_to_shell": [],
	"hosts": [],
	"latent_arithmetic": false,
	"control_chars": false,
	"parse_error": null,
}
