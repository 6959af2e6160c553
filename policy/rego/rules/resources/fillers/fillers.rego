# METADATA
# title: Files without end
# description: |
#   Output that never ends, or is larger than any work needs, fills the disk until everything in the sandbox fails, so a
#   person is asked.
# custom:
#   held_by: container
package sandgate.rules.resources.fillers

_help := "Give it an end that fits: `head -c 10M /dev/zero > x`, `dd ... count=10 bs=1M`, `yes | head -n 100`."

_endless := {"/dev/zero", "/dev/urandom", "/dev/random", "/dev/full"}

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.filler
	_never_ends(command)
	reason := sprintf("%s would write without end.", [command.name])
}

findings contains {"effect": "ask", "reason": reason, "help": _help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.filler
	some word in command.words
	regex.match(_huge, word)
	_makes_files(command)
	reason := sprintf("%s would make a file of %s.", [command.name, substring(word, 0, 40)])
}

# Ten gigabytes and more, as sizes and counts are written.
_huge := concat("", [
	`^((-c|-l|-s|--(bytes|length|size)=)?[0-9]{2,}(G|GB|GiB)|(-c|-l|-s|--[a-z]+=|bs=|count=)?[0-9]+(T|TB|TiB|P|E)`,
	`|(count|bs)=[0-9]{11,})$`,
])

_makes_files(command) if command.name in {"fallocate", "truncate", "mkfile", "xfs_mkfile"}

_makes_files(command) if {
	command.name in {"dd", "head"}
	some path in input.paths
	path.op == "write"
}

_never_ends(command) if {
	command.name == "yes"
	_into_a_file(command)
}

_never_ends(command) if {
	command.name == "cat"
	some word in array.concat(command.words, [redirect.path | some redirect in command.redirects; redirect.op == "<"])
	word in _endless
	_into_a_file(command)
}

_never_ends(command) if {
	command.name == "cp"
	some word in array.slice(command.words, 0, count(command.words) - 1)
	word in _endless
}

_never_ends(command) if {
	command.name == "dd"
	regex.match(`(?m)^if=/dev/(zero|urandom|random|full)$`, command.text)
	not regex.match(`(?m)^(of|count)=`, command.text)
	_into_a_file(command)
}

_never_ends(command) if {
	command.name == "dd"
	regex.match(`(?m)^if=/dev/(zero|urandom|random|full)$`, command.text)
	regex.match(`(?m)^of=`, command.text)
	not regex.match(`(?m)^(of=/dev/null|count=)`, command.text)
}

_into_a_file(command) if {
	some redirect in command.redirects
	regex.match(`^(>|>>|>\||&>|&>>)$`, redirect.op)
	not redirect.path in {"/dev/null", "/dev/full"}
}
