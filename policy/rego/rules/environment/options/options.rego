# METADATA
# title: Variables that give programs options
# description: |
#   Many programs read options, settings files or whole programs from variables of their own. Those that can make them
#   load or run something else are asked about; sizes, levels and switches are free.
# custom:
#   held_by: words
package sandgate.rules.environment.options

_help := "Pass the option to the program itself, where it can be seen; sizes and switches are fine."

# Whatever their value.
_names := concat("", [
	`^(MAKEFILES|RIPGREP_CONFIG_PATH|GREP_OPTIONS|TAR_OPTIONS|ZIPOPT|UNZIP|GZIP|RSYNC_RSH|CVS_RSH|VIMINIT|GVIMINIT`,
	`|EXINIT`,
	`|MYVIMRC|VIM|VIMRUNTIME|AWKPATH|AWKLIBPATH|LUA_INIT.*|LUA_PATH.*|LUA_CPATH.*|TCLLIBPATH|GLIBC_TUNABLES|MALLOC_.*`,
	`|PYTHONUSERBASE|PYTHONPLATLIBDIR|PYTHONEXECUTABLE|R_PROFILE.*|R_ENVIRON.*|PSQLRC|PERL_MM_OPT|PERL_MB_OPT`,
	`|PHP_INI_SCAN_DIR|PHPRC|GEM_HOME|GEM_PATH|BUNDLE_GEMFILE|BUNDLE_PATH|GOROOT|GOTOOLDIR|GOENV|GOCACHEPROG|GOAUTH`,
	`|CARGO_HOME|RUSTUP_HOME|DOTNET_STARTUP_HOOKS|CORECLR_.*|COR_.*|COMPOSER_HOME|HGRCPATH|GIT_DIR|GIT_WORK_TREE`,
	`|GIT_COMMON_DIR|GIT_OBJECT_DIRECTORY|GIT_ALTERNATE_OBJECT_DIRECTORIES|GIT_ATTR_.*|GNUPGHOME|HOME`,
	`|XDG_CONFIG_(HOME|DIRS)`,
	`|XDG_DATA_(HOME|DIRS)|INPUTRC|TERMINFO(_DIRS)?|TERMCAP|LESSKEY.*|MANOPT|MANPATH|QT_PLUGIN_PATH|GTK_MODULES`,
	`|GIO_EXTRA_MODULES`,
	`|OPENSSL_(CONF|MODULES|ENGINES)|SSL_ENGINES|KRB5_CONFIG|NSS_.*|RES_OPTIONS|KUBECONFIG|DOCKER_(HOST|CONFIG`,
	`|CONTEXT)|LOCALDOMAIN|COMPILER_PATH|GCC_EXEC_PREFIX|ERL_[A-Z]?FLAGS|ELIXIR_ERL_OPTIONS|JULIA_LOAD_PATH`,
	`|GUILE_LOAD_PATH|CAML_LD_LIBRARY_PATH|YARN_(YARN_PATH|PLUGINS|RC_FILENAME)|TF_CLI_CONFIG_FILE|PGSERVICE(FILE)?`,
	`|PGHOST(ADDR)?|MYSQL_HOST)$`,
])

# Where their value says so.
_values := {
	`^(GNU)?MAKEFLAGS$`: `(?i)eval|-f|--file|--makefile|SHELL|[A-Z_]+=|-I|--include|-C`,
	`^GOFLAGS$`: `-(toolexec|exec|overlay|modfile|modcacherw|ldflags|gcflags|asmflags)`,
	`^(MAVEN|GRADLE|JAVA|ANT|SBT|JVM|CATALINA|KAFKA|JRUBY|SCALA)_?(OPTS|ARGS|OPTIONS)$|^MAVEN_ARGS$`: _jvm,
	`^(RUSTFLAGS|CARGO_ENCODED_RUSTFLAGS|RUSTDOCFLAGS)$`: `linker|plugin|link-arg|-Zcodegen`,
	`^(CGO_)?(C|CXX|CPP|LD|F)FLAGS$`: `-fplugin|-B|-wrapper|@|-Wl,-plugin`,
	`^PYTHONWARNINGS$`: `:[A-Za-z_]\w*\.\w`,
	`^PYTHONPATH$`: `(^|:)(/|~|\.\.)`,
	`^NODE_PATH$`: `(^|:)(/|~|\.\.)`,
	`^LESS$`: `\+`,
	`^(npm|NPM)_(config|CONFIG)_`: `.`,
}

_jvm := `-(javaagent|agentpath|agentlib|Xbootclasspath|Xrun)|-XX:On|-XX:\+?(Flags|VMOptionsFile)|@|-I|--init-script`

_npm := concat("", [
	`(?i)^npm_config_(registry|.*:?registry|script[-_]shell|userconfig|globalconfig|prefix|node[-_]options|git|shell`,
	`|init[-_]module`,
	`|onload[-_]script|viewer|editor|browser)$`,
])

findings contains {"effect": "ask", "reason": reason, "help": _help} if {
	some assign in data.sandgate.facts.assigns
	regex.match(_names, assign.name)
	not _nothing(assign.value)
	not _same_home(assign)
	not _usual(assign)
	reason := sprintf("Setting %s can make later programs load or run other code.", [substring(assign.name, 0, 60)])
}

findings contains {"effect": "ask", "reason": reason, "help": _help} if {
	some assign in data.sandgate.facts.assigns
	some name, value in _values
	regex.match(name, assign.name)
	_matters(assign.name)
	is_string(assign.value)
	regex.match(value, assign.value)
	not _in_workspace(assign)
	reason := sprintf("%s=%s can make later programs load or run other code.", [
		substring(assign.name, 0, 60),
		substring(assign.value, 0, 60),
	])
}

_same_home(assign) if {
	assign.name == "HOME"
	assign.value == data.sandgate.settings.all.home
}

# Where it is anyway, or in the system; a number.
_usual(assign) if {
	assign.name in {"CARGO_HOME", "RUSTUP_HOME", "GEM_HOME"}
	assign.value == concat("", [data.sandgate.settings.all.home, _defaults[assign.name]])
}

_usual(assign) if {
	assign.name == "GOROOT"
	regex.match(`^/usr/(local/|lib/)?go(-[0-9.]+)?$`, assign.value)
}

_usual(assign) if {
	regex.match(`^MALLOC_`, assign.name)
	regex.match(`^[0-9]+$`, assign.value)
}

_defaults := {"CARGO_HOME": "/.cargo", "RUSTUP_HOME": "/.rustup", "GEM_HOME": "/.gem"}

# HOME="$HOME", as env -i needs it.
_same_home(assign) if {
	assign.name == "HOME"
	assign.appends == ""
}

_nothing(value) if value == ""

_nothing(value) if value in {"/dev/null", "/tmp", "/nonexistent", "localhost", "127.0.0.1", "::1"}

_matters(name) if not regex.match(`(?i)^npm_config_`, name)

_matters(name) if regex.match(_npm, name)

# Folders of the workspace are the project's own.
_in_workspace(assign) if {
	assign.name in {"PYTHONPATH", "NODE_PATH"}
	parts := split(assign.value, ":")
	count([part | some part in parts; not _own(part)]) == 0
}

_own(part) if part == ""

_own(part) if {
	not startswith(part, "~")
	some path in data.sandgate.paths.named("/workspace-of-the-project", [part])
	startswith(path, "/workspace-of-the-project")
}

_own(part) if {
	some path in data.sandgate.paths.named("/", [part])
	some root in data.sandgate.settings.all.workspaces
	startswith(concat("", [path, "/"]), concat("", [root, "/"]))
}
