# METADATA
# title: Archives and patches that name any path
# description: |
#   An archive or a patch names the files that it writes. Programs keep these below the working folder, unless an option
#   switches that off: tar -P, cpio --absolute-filenames, unzip -:, git apply --unsafe-paths. Such a command may write
#   anywhere that its user may, so no rule about paths has seen where, and a person is asked.
# custom:
#   held_by: words
package sandgate.rules.files.unpacking

# To each program what makes it write outside the folder. `only` is what it does then, where other uses write nothing.
_programs := {
	"7z": _seven_zip,
	"7za": _seven_zip,
	"7zr": _seven_zip,
	"7zz": _seven_zip,
	"ar": {"trusts": `\A-?[A-Za-z]*P|(?m)^-[A-Za-z]*P`, "only": `\A-?[A-Za-z]*x|(?m)^-[A-Za-z]*x`},
	"bsdcpio": {"trusts": `(?m)^--ins`, "only": ``},
	"bsdtar": _tar,
	"cpio": {"trusts": `(?m)^--ab`, "only": _cpio_reads},
	"gcpio": {"trusts": `(?m)^--ab`, "only": _cpio_reads},
	"git": {"trusts": `(?m)^(--uns|--allow-uns)`, "only": `(?m)^(apply|am|fast-import)$`},
	"gpatch": _patch,
	"gtar": _tar,
	"jar": {"trusts": `\A-?[A-Za-z]*P|(?m)^-[A-Za-z]*P`, "only": `\A-?[A-Za-z]*x|(?m)^(-[A-Za-z]*x|--ext)`},
	"patch": _patch,
	"pax": {"trusts": `(?m)^-[A-Za-z]*r`, "only": ``},
	"paxtar": _tar,
	"rsync": {"trusts": `(?m)^--trust-s`, "only": ``},
	"star": {"trusts": `(?m)^(-[^-\nfC/]*/|-\.\.|-no-secure)`, "only": ``},
	"tar": _tar,
	"unrar": {"trusts": `(?mi)^-ep3`, "only": ``},
	"unzip": {"trusts": `(?m)^-[A-Za-z]*:`, "only": ``},
	"uudecode": {"trusts": `(?s)\A.*\z`, "only": ``},
}

# A file or a folder ends a cluster: in -fP.tar no option P is given.
_tar := {
	"trusts": `\A[A-Za-z]*P|(?m)^(-[^-\nfC]*P|--(ab|ins))`,
	"only": `\A[A-Za-z]*x|(?m)^(-[^-\nfC]*x|--(ext|get$))`,
}

_patch := {"trusts": `(?m)^(-[A-Za-z]*p\n?0+$|--st[a-z]*[=\n]0+$|--fol)`, "only": ``}

_seven_zip := {"trusts": `(?mi)^-s(pf|nld)`, "only": `(?mi)^[xe]$`}

_cpio_reads := `(?m)^(-[A-Za-z]*i|--ext)`

_help := concat(" ", [
	"Leave that option out and unpack into a folder of the workspace, such as `tar -xf a.tar -C out`,",
	"then move what belongs elsewhere with mv; or ask a person.",
])

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.unpacker
	program := _programs[command.name]
	regex.match(program.trusts, command.text)
	_unpacks(command, program.only)
	not _is_told_where(command)
	reason := sprintf(
		"%s may write to any path that its archive or patch names, and no rule has seen those paths.",
		[command.name],
	)
}

# python -m tarfile takes every name as it stands, unless it is given a filter. Python 3.14 has one by itself.
findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.interpreter
	regex.match(`(?m)^-[A-Za-z]*m\n?tarfile$`, command.text)
	regex.match(`(?m)^(-[A-Za-z]*e|--ex)`, command.text)
	not regex.match(`(?m)^--fi[a-z]*[=\n](data|tar)$`, command.text)
	reason := sprintf(
		"%s -m tarfile may write to any path that its archive names, and no rule has seen those paths.",
		[command.name],
	)
	help := "Use `tar -xf`, or add the option --filter data; or ask a person."
}

# busybox patch takes every name as it stands.
findings contains {"effect": "ask", "reason": reason, "help": _help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.unpacker
	command.name == "patch"
	some via in command.via
	regex.match(`^(busy|toy)box`, via)
	reason := sprintf("%s of %s may write to any path that its input names.", [command.name, substring(via, 0, 60)])
}

# A text of this very call that names a path further up, or an absolute one.
findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.unpacker
	_takes_patches(command)
	text := concat("\n", [given | some key in ["command", "stdin"]; given := input.call[key]; is_string(given)])
	regex.match(_leads_out, text)
	reason := sprintf("The patch for %s names a path outside the folder that it is applied in.", [command.name])
	help := "Name the files from the working folder on, without .. and without a / in front."
}

_leads_out := concat("", [
	`(?m)^((---|\+\+\+|\*\*\*|Index:|rename to|copy to) "?`,
	`(/([^d\n]|d[^e\n]|de[^v\n]|dev[^/\n]|dev/[^n\n])|([^\n]*/)?\.\./)`,
	`|diff --git [^\n]*/\.\./)`,
])

_takes_patches(command) if command.name in {"patch", "gpatch"}

_takes_patches(command) if {
	command.name == "git"
	regex.match(`(?m)^(apply|am)$`, command.text)
}

_unpacks(_, only) if only == ""

_unpacks(command, only) if {
	only != ""
	regex.match(only, command.text)
}

# The option that says what is done may be in a word that is not known.
_unpacks(command, only) if {
	only != ""
	is_null(command.argv[1])
}

# uudecode writes to the path that its input names, unless it is told another.
_is_told_where(command) if {
	command.name == "uudecode"
	regex.match(`(?m)^(-[A-Za-z]*[op]|--o|--version|--help)`, command.text)
}

# pax -r -w copies into the folder that is its last word.
_is_told_where(command) if {
	command.name == "pax"
	regex.match(`(?m)^-[A-Za-z]*w`, command.text)
}
