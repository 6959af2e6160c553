# METADATA
# title: Text that could not be read
# description: What cannot be read exactly cannot be judged, so a script with a parse error does not run.
# custom:
#   held_by: words
package sandgate.rules.code.unreadable

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	is_string(input.script.parse_error)
	reason := sprintf("The command could not be read: %s", [substring(input.script.parse_error, 0, 200)])
	not startswith(input.script.parse_error, "the alias ")
	help := "Correct the syntax, or put a long script into a file with file_write and run that file."
}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	is_string(input.script.parse_error)
	startswith(input.script.parse_error, "the alias ")
	reason := sprintf("The command could not be read: %s.", [substring(input.script.parse_error, 0, 200)])
	help := "Write the command out, or use a function, such as t() { pytest -q \"$@\"; }."
}
