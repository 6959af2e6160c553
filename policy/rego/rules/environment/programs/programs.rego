# METADATA
# title: Variables that name a program
# description: EDITOR, PAGER and their like are run by other programs, so they may name well-known ones only.
# custom:
#   held_by: words
package sandgate.rules.environment.programs

_names := {
	"EDITOR", "VISUAL", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "PAGER", "GIT_PAGER", "MANPAGER", "BROWSER", "SYSTEMD_PAGER",
	"FCEDIT", "LESSEDIT", "SVN_EDITOR", "HGEDITOR", "KUBE_EDITOR", "AWS_PAGER", "GH_PAGER", "DELTA_PAGER", "BAT_PAGER",
	"PSQL_PAGER", "PSQL_EDITOR", "SUDO_EDITOR",
}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some assign in data.sandgate.facts.assigns
	assign.name in _names
	not _known(assign.value)
	not _edits_todo(assign)
	reason := sprintf("%s would name a program of unknown make that others then run.", [assign.name])
	help := "Name a well-known program, such as PAGER=cat or EDITOR=true."
}

_tools := concat("", [
	`^((/usr)?/bin/)?(|none|cat|less|more|head|true|false|:|echo|vim?|nano|ed|ex|emacs|code( --wait)?)`,
	`( -[A-Za-z]+)*$`,
])

# Compilers and what builds call beside them.
_build_tools := concat("", [
	`^(CC|CXX|CPP|LD|AR|AS|NM|RANLIB|STRIP|OBJCOPY|FC|MAKE|RUSTC|RUSTDOC|RUSTC_WRAPPER|RUSTC_WORKSPACE_WRAPPER`,
	`|CARGO_BUILD_RUSTC.*`,
	`|CARGO_TARGET_[A-Z0-9_]+_(LINKER|RUNNER)|HOSTCC|CC_FOR_BUILD|NVCC|NODE_GYP|PYTHON|NPM_CONFIG_PYTHON`,
	`|npm_config_python)$`,
])

_compilers := concat("", [
	`^((/usr(/local)?)?/bin/)?((ccache|sccache|distcc) )?([a-z0-9_]+-)*(gcc|g\+\+|clang|clang\+\+|cc|c\+\+|cpp|ar|ld`,
	`|lld|mold|gold`,
	`|ranlib|nm|strip|objcopy|as|gfortran|flang|tcc|icc|icx|nvcc|rustc|rustdoc|clippy-driver|make|gmake|ninja`,
	`|python[0-9.]*`,
	`|qemu-[a-z0-9_]+|wasmtime|zig (cc|c\+\+)|sccache|ccache)(-[0-9.]+)?( -[A-Za-z0-9=._-]+)*$`,
])

findings contains {"effect": "ask", "reason": reason, "help": _build_help} if {
	some assign in data.sandgate.facts.assigns
	regex.match(_build_tools, assign.name)
	not _builds(assign.value)
	reason := sprintf("%s would name a program of unknown make that builds then run.", [assign.name])
}

_build_help := "Name a well-known one, such as CC=clang or RUSTC_WRAPPER=sccache."

_builds(value) if value == ""

_builds(value) if {
	is_string(value)
	regex.match(_compilers, value)
}

# git's list of commits to rebase, which sed edits without a person.
_edits_todo(assign) if {
	assign.name in {"GIT_SEQUENCE_EDITOR", "GIT_EDITOR"}
	is_string(assign.value)
	regex.match(concat("", ["^", data.sandgate.settings.todo_editor, "$"]), assign.value)
}

_known(value) if {
	is_string(value)
	regex.match(_tools, value)
}
