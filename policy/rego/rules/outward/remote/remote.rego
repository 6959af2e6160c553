# METADATA
# title: Other machines
# description: Logging in elsewhere, copying to it, mailing, and steering clusters or clouds act outside the sandbox.
# custom:
#   held_by: gate
package sandgate.rules.outward.remote

import data.sandgate.facts

findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.remote
	not _stays(command)
	reason := sprintf("%s acts on something outside the sandbox.", [command.name])
	help := "Work on files and services inside the sandbox; localhost is free. The operator can allow this command."
}

_stays(command) if {
	count(command.argv) == 2
	command.argv[1] in {"--version", "-V", "version", "--help", "-h"}
}

_stays(command) if {
	command.name in {"nc", "ncat", "netcat", "telnet", "socat"}
	not null in command.argv
	not regex.match(`(?im)^-[a-z]*[ecx]|exec|system`, command.text)
	some word in command.words
	regex.match(`(?i)^(localhost|127\.0\.0\.1|::1)$`, word)
	not _elsewhere(command)
}

# rsync between two folders here.
_stays(command) if {
	command.name == "rsync"
	not null in command.argv
	not contains(command.text, ":")
	not facts.has_short(command, "e")
}

_elsewhere(command) if {
	some word in command.words
	regex.match(`[A-Za-z0-9]\.[A-Za-z0-9]`, word)
	not regex.match(`^127\.0\.0\.1$|^[0-9]+\.[0-9]+$`, word)
}
