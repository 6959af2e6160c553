# METADATA
# title: Options that run programs
# description: |
#   Tools that look harmless take a program to run, or a file to write, in an option or in their own little language:
#   rg --pre, tar --to-command, vim -c, the sed commands e and w, system() in awk.
# custom:
#   held_by: words
package sandgate.rules.code.program_option

_options := {
	"rg": `(?m)^--(pre|hostname-bin)(=|$)`,
	"tar": _archiver,
	"gtar": _archiver,
	"bsdtar": _archiver,
	"cpio": `(?m)^--rsh`,
	"zip": `(?m)^(-[A-Za-z]*TT|--unzip-c)`,
	"man": `(?m)^(-[PHC]|--pager|--html|--config-f)`,
	"ack": `(?m)^--pager[=\n]`,
	"ag": `(?m)^--pager[=\n]`,
	"emacsclient": `(?m)^(-e$|--eval|-a|--alternate)`,
	"gdb": _debugger,
	"kak": `(?m)^-[eEfp]$`,
	"less": `(?m)^(\+[^\n]*[!|]|--lesskey-(src|content)|-k)`,
	"nano": `(?m)^(-[A-Za-z]*s$|--speller)`,
	"lldb": _debugger,
	"more": `(?m)^\+[^\n]*!`,
	"sort": `(?m)^--com`,
	"sqlite3": `(?m)^\s*\.((she?l?l?|sy[a-z]*)\s|o[a-z]*\s[^\n]*\||o[nu][a-z]*\s+-[ewx](\s|$)|(excel|ww+)$)`,
}

# In the first word options may stand without a dash: tar xIf program archive.
_archiver := concat("", [
	`(?m)^(--(checkpoint-ac|to-c|use-c|info-s|new-vol|rsh-c|rmt-c)|-[A-Za-z]*I|-[A-Za-z]*F$)`,
	`|\A[A-Za-z]*[IF][A-Za-z]*(\n|$)`,
])

# As short as they may be written: gdb takes -ev for --eval-command.
_debugger := concat("", [
	`(?m)^--?((e?i)?ex|e?ix|e[av][a-z-]*|val[a-z-]*|x|com[a-z-]*|ini[a-z-]*|o|O|s|S|k|K|one-[a-z-]*|sour[a-z-]*`,
	`|Q?c)([=\n]|$)`,
])

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.launcher
	regex.match(_options[command.name], command.text)
	not _common_filter(command)
	not _common_pager(command)
	not _only_debugs(command)
	reason := sprintf("%s was given an option that makes it run another program.", [command.name])
	help := "Run that program by itself, and leave the option out."
}

_filters := concat("", [
	`(?m)^((-[A-Za-z]*I|--use-compress-program(=|\n))\n?|\A[A-Za-z]*I[A-Za-z]*\n([^\n]+\n)?)`,
	`(zstd|gzip|pigz|xz|bzip2|lz4|lzip|unzstd|zstdmt)( -[A-Za-z0-9]+)*$`,
])

# Compression programs are what -I is for.
_common_filter(command) if {
	command.name in {"tar", "gtar", "bsdtar"}
	regex.match(_filters, command.text)
	not regex.match(`(?m)^--(checkpoint-ac|to-c|info-s|new-vol|rsh-c|rmt-c)`, command.text)
}

_common_pager(command) if {
	command.name in {"ack", "ag"}
	regex.match(`(?m)^--pager[=\n]((less|more)( -[A-Za-z]+)*|cat)$`, command.text)
}

# A debugger that runs the program, stops it and shows where it is.
_only_debugs(command) if {
	command.name in {"gdb", "lldb"}
	not _debugs_unknown(command)
	front := split(concat("", ["\n", command.text]), "\n--args\n")[0]
	not regex.match(_debugger, regex.replace(front, _debugging, ""))
}

_debugs_unknown(command) if {
	some at, word in command.argv
	is_null(word)
	is_string(command.argv[at - 1])
	regex.match(`^--?(i?ex|o|eval-command|one-line)$`, command.argv[at - 1])
}

# Not with arguments that run hands on, or with what thread and frame apply: those would be commands that nobody reads.
_debugging := concat("", [
	`(?m)^--?(ex|o|eval-command|one-line)[\n=] *((r|run|start)( < [A-Za-z0-9_./-]+)?|starti`,
	`|process launch|((t|thread|f|frame)( [0-9.]+)?)`,
	`|((c|continue|n|next|s|step|si|stepi|ni|nexti`,
	`|finish|q|quit|kill|detach|l|list|up|down|where|disas|disassemble|i|info|b|br|break|tbreak`,
	`|delete|handle|bt`,
	`|backtrace|thread apply all( -q)? (bt|backtrace)|thread (list|backtrace)|process (continue|kill)|catch`,
	`|core-file|set (pagination|confirm|width|height|print|breakpoint|follow-fork-mode|detach-on-fork`,
	`|disassembly-flavor|non-stop|backtrace))( [A-Za-z0-9_.,:=+*/-]*)*)|((p|print|x|display|ptype|whatis)(/[a-z0-9]+)?`,
	` [^()!|;\x60\n]*)) *$`,
])

# Programs whose input is a language that starts others.
findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.own_language
	_is_fed(command)
	reason := sprintf("%s would run a program in its own language, which can start others.", [command.name])
	help := "Write the program into a file with file_write and name that file."
}

_is_fed(command) if {
	command.name in _takes_files
	regex.match(`(?m)^(-[a-zA-Z]*f|--file|--makefile)[\n=]?(-|/dev/(stdin|fd/[0-9]+))$`, command.text)
}

_is_fed(command) if {
	command.name in _takes_files
	some at, why in command.dynamic
	why == "procsub"
	regex.match(`^(-[a-zA-Z]*f|--file|--makefile)$`, command.argv[at - 1])
}

_takes_files := {"make", "gmake", "awk", "gawk", "mawk", "nawk", "original-awk", "sed", "gsed"}

_is_fed(command) if {
	command.name in {"m4", "ed", "red", "dc", "tclsh", "expect", "gnuplot"}
	not regex.match(`(?m)^[^-\n][^\n]*$`, command.text)
	not regex.match(`(?m)^--(version|help)$`, command.text)
}

# Without these a debugger reads on from its input.
_is_fed(command) if {
	command.name in {"gdb", "lldb"}
	not regex.match(_ends[command.name], command.text)
}

# To gdb -b is the speed of a line.
_ends := {
	"gdb": `(?m)^--?(batch|batch-silent|version|v|help|h|ex[\n=](q|quit))$`,
	"lldb": `(?m)^--?(batch|b|version|v|help|h|(ex|o|one-line)[\n=](q|quit))$`,
}

# make runs recipes, and this is how it is given some that are in no file.
_is_fed(command) if {
	command.name in {"make", "gmake"}
	regex.match(`(?m)^(--eval(=|$)|-[a-zA-Z]*E|(SHELL|\.SHELLFLAGS|MAKEFLAGS|MAKEFILES):*=)`, command.text)
	not regex.match(`(?m)^SHELL=(/usr)?/bin/(ba|da|z|)sh( -[eux]+)*$`, command.text)
}

_is_fed(command) if {
	command.name in {"expect", "tclsh", "gnuplot"}
	regex.match(`(?m)^-[a-z]*[ce]`, command.text)
}

_is_fed(command) if {
	command.name in {"ed", "red"}
	count(command.words) > 0
}

_is_fed(command) if {
	command.name == "sqlite3"
	regex.match(
		concat("", [
			`(?m)^\s*\.((rea[a-z]*|loa[a-z]*|open?|res[a-z]*|ar[a-z]*|cd)\s|im[a-z]*\s[^\n]*\|)`,
			`|(?i)load_extension|writefile\(`,
			`|readfile\(|edit\(`,
		]),
		command.text,
	)
}

_is_fed(command) if {
	command.name in {"psql", "mysql", "mariadb"}
	regex.match(`(?m)\\!|\\o\s*\||\\g\s*\||^\s*system\s|(?i)copy .* (to|from) program`, command.text)
}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.editor
	not _only_loads(command)
	regex.match(
		`(?m)^(-c$|-c.|-[eEnNRsvZ]+c|--cmd|\+.|-S|-s?$|-[eE]s|--e|-l$|--load|-f$|-x$|--script|--batch)`,
		command.text,
	)
	reason := sprintf("%s would run commands of its own language, which can start a shell.", [command.name])
	help := "Edit files with file_edit, or with sed -i."
}

# Its settings are a script as well.
findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.editor
	regex.match(`(?m)^-[A-Za-z]*u$`, command.text)
	not regex.match(`(?m)^-[A-Za-z]*u\n(NONE|NORC|DEFAULTS)$`, command.text)
	reason := sprintf("%s would take its settings from another file, and they can run commands.", [command.name])
	help := "Edit files with file_edit, or with sed -i; -u NONE is fine."
}

# Files of its own language, as an interpreter is given them.
_only_loads(command) if {
	command.name == "emacs"
	regex.match(`(?m)^--?batch$`, command.text)
	not regex.match(`(?m)^(--?e|-x|--scr)`, command.text)
	not null in command.argv
}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.stream_editor
	some given in command.words
	word := regex.replace(given, `^(--exp[a-z]*=|-[nrEsuz]*e)`, "")
	regex.match(`[ewW]`, word)
	what := _sed_act(word)
	reason := sprintf("The %s script would %s.", [command.name, what])
	help := "Use s, p and d only; write results with > file, and run commands by themselves."
}

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.awk
	text := regex.replace(command.text, _orders, "")
	regex.match(_starts, text)
	reason := sprintf("The %s program would start other programs.", [command.name])
	help := "Print the results, and pipe them into the next command in the shell."
}

# @f() calls what the text in f names.
_starts := concat("", [
	`system\s*\(|\|&?\s*getline|\|\s*"|"\s*\||\|&|@load|@[A-Za-z_]\w*\s*\(|\bprintf?\b[^;}\n]*\|`,
	`|(?m)^(-l|--load)`,
])

# Filters of standard output that read and write nothing else. What awk would put behind their text is a command too.
_orders := concat("", [
	`\|\s*"(sort|uniq|wc|cat|head|tail|column|nl|tac)( -[bcdfghiklMnrRsuVwz0-9,.t:]+| [0-9]+)*"`,
	`[ \t]*([;}\n]|$)`,
])

_sed_act(word) := "run a command (e)" if {
	regex.match(`(^|[;{}\n0-9$!/,])\s*e(\s|$)`, _sed_rest(word))
	not startswith(word, "-")
}

_sed_act(word) := "run a command (e)" if regex.match(_sed_flag("e"), word)

_sed_act(word) := "write a file (w)" if {
	regex.match(`(^|[;{}\n0-9$!/,])\s*[wW]\s+\S`, _sed_rest(word))
	not regex.match(_sed_flag("e"), word)
}

_sed_act(word) := "write a file (w)" if {
	regex.match(_sed_flag("w"), word)
	not regex.match(_sed_flag("e"), word)
	not regex.match(`(^|[;{}\n0-9$!/,])\s*e(\s|$)`, _sed_rest(word))
}

# What is left once substitutions, addresses and plain words are gone.
_sed_rest(word) := regex.replace(bare, `/([^/\\\n]|\\.)*/`, "0") if {
	bare := regex.replace(word, _substitution, ";")
}

_sed_flag(flag) := concat("", ["(", _substitution, ")[gIiMmp0-9]*", flag])

# s and y with the delimiters that people use. There are no back-references in either engine's regex.
_substitution := concat("|", [sprintf(`[sy]%s([^%s\\]|\\.)*%s([^%s\\]|\\.)*%s`, [d, d, d, d, d]) |
	some d in ["/", `\|`, "#", ",", "@", ":", "!", "%", "_", "~", ";", "="]
])
