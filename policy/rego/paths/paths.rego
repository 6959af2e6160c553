# METADATA
# title: The paths that words name
# description: |
#   Every word is taken for a path, relative to where the command starts: which of them a program opens is its secret.
#   Words such as --file=x, -d@x and a:x also name a path in their tail. Paths come out absolute, without `.` and `..`.
package sandgate.paths

# METADATA
# description: The whole of a tree, that which stands or falls with the machine, the work or the person who owns it.
roots := union({_system_roots, {root | some root in settings.workspaces}, {settings.home}, _above}) if {
	settings := data.sandgate.settings.all
}

# METADATA
# description: Whether a path is such a tree, or everything in one.
is_root(path) if path in roots

is_root(path) if {
	folder := regex.replace(path, _all_of, "")
	folder != path
	folder in roots
}

is_root(path) if regex.match(concat("", ["^", _all_of]), path)

# A pattern that names nothing: *, .[!.]*, [a-z]*, !(keep).
_all_of := concat("", [
	`(/\.?([*?.]|`, _class, `|[!@+?*]\([^)/]*\))*([*?]|`, _class, `|[!@+?*]\([^)/]*\))([*?.]|`, _class, `)*)+$`,
])

_class := `\[([^\]\[/]|\[:[a-z]+:\]|\[)*\]`

_system_roots := {
	"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin", "/srv",
	"/sys", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/var", "/var/lib", "/workspace",
}

_above contains concat("/", array.slice(parts, 0, length)) if {
	some root in data.sandgate.settings.all.workspaces
	parts := split(root, "/")
	some length in numbers.range(2, count(parts) - 1)
	length < count(parts)
}

# METADATA
# description: |
#   The paths that a described command's words and globs name, from wherever it may start: a cd before it may fail.
of(command) := [path |
	words := array.concat(command.words, _globs(command))
	some cwd in array.concat([command.cwd], command.other_cwds)
	some path in named(cwd, words)
]

# METADATA
# description: Whether a find says which files it wants, or takes all there are.
finds_narrowly(command) if {
	regex.match(_narrowing, regex.replace(command.text, `(?m)^(!|-not)\n-[a-z]+\n[^\n]*`, ""))
}

_narrowing := concat("", [
	`(?m)^-(i?name|i?path|i?wholename|i?regex)\n[^\n]*[^*.?\n]|^-(newer|[acm]time|[acm]min|size|empty|perm|user|inum)`,
])

_globs(command) := [pattern | some at, pattern in command.known; command.dynamic[at] in {"glob", "number"}]

named(cwd, words) := [_rooted(line) | count(lines) > 0; some line in split(_clean(concat("\n", lines)), "\n")] if {
	base := _base(cwd)
	lines := [_absolute(base, piece) |
		some word in words
		not startswith(word, "--exclude")
		word != ""
		some piece in _pieces(replace(word, "\n", "?"))
	]
}

_rooted(line) := "/" if line == ""

_rooted(line) := line if line != ""

_pieces(word) := {word} if _plain(word)

_pieces(word) := {piece |
	some part in array.concat([word], regex.split(`[=@:,]+`, word))
	piece := regex.replace(part, `^-[A-Za-z]([./~])`, "$1")
	piece != ""
	not startswith(piece, "-")
} if {
	not _plain(word)
}

_plain(word) if not regex.match(`^-|[=@:,]`, word)

_base(cwd) := cwd if is_string(cwd)

_base(cwd) := "/?" if is_null(cwd)

_absolute(_, word) := word if startswith(word, "/")

_absolute(base, word) := concat("/", [base, word]) if not startswith(word, "/")

_clean(text) := text if not _untidy(text)

_clean(text) := _single(text) if {
	_untidy(text)
	not contains(text, "/..")
}

# Eight levels of `..` are undone; a path that still climbs is taken for the root, the most sensitive there is.
_clean(text) := _single(regex.replace(floor, `[^\n]*/\.\.(/[^\n]*)?(\n|$)`, "/$2")) if {
	contains(text, "/..")
	once := _up(_up(_up(_up(_single(text)))))
	twice := _up(_up(_up(_up(once))))
	floor := regex.replace(twice, `(^|\n)(/\.\.)+(/|\n|$)`, "$1/$3")
}

_untidy(text) if contains(text, "//")

_untidy(text) if contains(text, "/.")

_untidy(text) if contains(text, "/\n")

_untidy(text) if endswith(text, "/")

_up(text) := regex.replace(text, `/([^/.\n][^/\n]*|\.[^/.\n][^/\n]*|\.\.[^/\n]+)/\.\.(/|\n|$)`, "$2")

_single(text) := regex.replace(bare, `([^\n])/(\n|$)`, "$1$2") if {
	dotless := regex.replace(regex.replace(text, `/\.(/\.)*(/|\n|$)`, "/$2"), `/+`, "/")
	bare := regex.replace(dotless, `/\.(\n|$)`, "/$1")
}
