# METADATA
# title: Variables that load code
# description: Variables that make every later program load or run something are denied (LD_PRELOAD, BASH_ENV, PS4 ...).
# custom:
#   held_by: words
package sandgate.rules.environment.loader

_names := concat("", [
	`^(LD_.*|DYLD_.*|BASH_ENV|ENV|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|BASH_(FUNC_.*|CMDS|ALIASES)`,
	`|GCONV_PATH|NLSPATH|HOSTALIASES`,
	`|PYTHONSTARTUP|PYTHONHOME|PYTHONINSPECT|PYTHONBREAKPOINT|PERL5OPT|PERL5DB|PERL5?LIB|RUBYOPT|RUBYLIB`,
	`|JAVA_TOOL_OPTIONS`,
	`|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|LESSOPEN|LESSCLOSE|GIT_EXEC_PATH|GIT_TEMPLATE_DIR|GIT_CONFIG.*|GIT_EXTERNAL_DIFF`,
	`|GIT_PROXY_COMMAND|GIT_SSH|GIT_SSH_COMMAND|GIT_ASKPASS|SSH_ASKPASS|SUDO_ASKPASS|CDPATH|SHELL)$`,
])

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some assign in data.sandgate.facts.assigns
	regex.match(_names, assign.name)
	not _tame(assign)
	reason := sprintf("Setting %s makes later programs load or run other code.", [substring(assign.name, 0, 60)])
	help := object.get(_instead, assign.name, "Leave it as it is; pass options to the program itself.")
}

_instead := {
	"LD_LIBRARY_PATH": "Set it in front of the project's own program, such as LD_LIBRARY_PATH=build ./build/app.",
	"LD_PRELOAD": "Set it in front of the project's own program, such as LD_PRELOAD=./hook.so ./app.",
	"GIT_SSH_COMMAND": "Leave it as it is; the gate lets git reach the hosts that are allowed over https.",
	"SHELL": "Call the other shell by its name, such as `zsh script.zsh`.",
}

# IFS splits words, and a slash or a letter in it takes names apart.
findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some assign in data.sandgate.facts.assigns
	assign.name == "IFS"
	not assign.command in {"read", "mapfile", "readarray"}
	_odd_separator(assign.value)
	reason := "Setting IFS to letters, slashes or text that is not known changes how the commands after it are read."
	help := "Set it for one command only, such as `IFS=: read -ra parts`."
}

findings contains {"effect": "ask", "reason": reason, "help": help} if {
	some assign in data.sandgate.facts.assigns
	assign.name == "NODE_OPTIONS"
	_loads(assign.value)
	reason := "NODE_OPTIONS would make every node program load other code."
	help := "Options such as --max-old-space-size=4096 are fine."
}

_odd_separator(value) if is_null(value)

_odd_separator(value) if {
	is_string(value)
	regex.match(`[A-Za-z0-9/_.-]`, value)
}

_loads(value) if is_null(value)

_loads(value) if {
	is_string(value)
	left := regex.replace(regex.replace(value, `\s+`, "  "), _packages, " ")
	regex.match(_node_loads, left)
}

_node_loads := concat("", [
	`(^|\s)(-[rep]|--(require|import|loader|eval|print|env-file.*|experimental-(loader|config-file)))`,
	`(=|\s|$)`,
])

# By its name a package is found among the project's own: --import tsx, -r ts-node/register.
_packages := concat("", [
	`(^|\s)(-r|--(require|import|loader|experimental-loader))(=|\s+)`,
	`(@[a-z0-9][a-z0-9-]*/)?[a-z0-9][a-z0-9-]*(/[a-z0-9_-]+)*(\s|$)`,
])

# The libraries of the project's own program.
_tame(assign) if {
	assign.name in {"LD_LIBRARY_PATH", "LD_PRELOAD"}
	assign.path_kind == "workspace"
	_of_the_project(assign.value)
}

# What is installed with the system.
_tame(assign) if {
	assign.name in {"LD_LIBRARY_PATH", "LD_PRELOAD"}
	is_string(assign.value)
	_of_the_system(assign.value)
}

_tame(assign) if {
	assign.name == "LD_LIBRARY_PATH"
	is_string(assign.prepends)
	endswith(assign.prepends, ":")
	_of_the_system(trim_suffix(assign.prepends, ":"))
}

_of_the_system(value) if {
	count([1 | some path in split(value, ":"); not regex.match(_installed, path)]) == 0
	not contains(value, "/..")
}

_installed := `^/(usr/)?(local/)?lib[0-9]*(/[A-Za-z0-9_+.-]+)*$`

# The loader only tells what it does, or does it sooner.
_tame(assign) if {
	assign.name in {"LD_DEBUG", "LD_BIND_NOW", "LD_SHOW_AUXV"}
	is_string(assign.value)
	regex.match(`^[a-z0-9,]*$`, assign.value)
}

# Sizes, warnings, encodings; where a program of the project runs, which to sh is a file of its folder at most.
_tame(assign) if {
	is_string(assign.value)
	regex.match(_switches[assign.name], assign.value)
}

_java := concat("", [
	`^( *((-Xm[sx]|-Xss)[0-9]+[kKmMgG]?|-XX:[+-]?(Use[A-Za-z0-9]+|(Max|Initial)RAMPercentage=[0-9.]+)`,
	`|-D(file\.encoding|sun\.jnu\.encoding|user\.(timezone|language|country)|java\.awt\.headless`,
	`|java\.net\.preferIPv4Stack)=[A-Za-z0-9/_-]+)( +|$))*$`,
])

_switches := {
	"ENV": `^(ci|dev|development|local|prod|production|qa|stage|staging|test|testing)$`,
	"JAVA_TOOL_OPTIONS": _java,
	"RUBYOPT": `^(-W[0-2]?|-w|-W:(no-)?(deprecated|experimental|performance)|--yjit|--enable=yjit)?$`,
}

_tame(assign) if {
	assign.name == "LD_LIBRARY_PATH"
	assign.path_kind == "workspace"
	is_string(assign.prepends)
	endswith(assign.prepends, ":")
	_of_the_project(trim_suffix(assign.prepends, ":"))
}

_of_the_project(value) if {
	is_string(value)
	not regex.match(`(^|:)(/(tmp|var/tmp|dev/shm)|~|\.\.|$)|/\.\.(/|:|$)`, value)
}

# Git without questions, and a configuration that is empty, are what tests and scripts need.
_tame(assign) if {
	assign.name in {"GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"}
	assign.value in {"0", "1", "/dev/null"}
	not {assign.name, assign.value} == {"GIT_CONFIG_COUNT", "1"}
}

_tame(assign) if {
	assign.name in {"GIT_ASKPASS", "SSH_ASKPASS"}
	assign.value in {"", "true", "/bin/true", "echo"}
}

_tame(assign) if {
	assign.name == "SHELL"
	assign.value in {"/bin/sh", "/bin/bash", "/usr/bin/bash"}
}
