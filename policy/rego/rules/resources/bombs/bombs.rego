# METADATA
# title: Bombs
# description: |
#   A function that starts itself more than once never ends and only multiplies; programs that exist to use a machine
#   up, or to mine with it, do no work for anybody here. The container's limits hold either way. What ends everything
#   that runs in a session is asked about.
# custom:
#   held_by: container
package sandgate.rules.resources.bombs

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some name in input.script.functions
	count([1 | some command in input.commands; command.name == name; _inside(command, name)]) > 1
	reason := sprintf("The function %s would start itself again and again, without end.", [substring(name, 0, 60)])
	help := "Give the recursion an end, or use a loop with a bound."
}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.hog
	reason := sprintf("%s does nothing but use the machine up.", [command.name])
	help := "To measure a program, run that program; `time` and /usr/bin/time say what it used."
}

# Everything that runs in the session, the jobs of others among it.
findings contains {"effect": "ask", "reason": reason, "help": help, "command": command.index} if {
	some command in data.sandgate.facts.tagged.killer
	_kills_all(command)
	reason := sprintf("%s would end everything that runs in the session.", [command.name])
	help := "Name the process, such as `kill $pid` or `pkill -f server.py`; job_stop ends a job with all that it started."
}

_kills_all(command) if {
	command.name == "kill"
	regex.match(`\n-1$`, command.text)
}

_kills_all(command) if {
	command.name in {"pkill", "killall", "skill"}
	regex.match(`(?m)^(-[a-z]*u|--euid|--user|-U|\.\*?)$`, command.text)
	not regex.match(`(?m)^-f$|^-x\n[A-Za-z][A-Za-z0-9_.-]+$`, command.text)
}

_kills_all(command) if command.name == "killall5"

_inside(command, name) if {
	some via in command.via
	via == sprintf("function %s", [name])
}
