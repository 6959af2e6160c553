# METADATA
# title: Code from a pipe
# description: A shell or interpreter that reads its program from a pipe runs what nobody has seen.
# custom:
#   held_by: words
package sandgate.rules.code.piped

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some shell in input.script.pipe_to_shell
	reason := sprintf("%s would run whatever comes out of a pipe.", [substring(shell, 0, 60)])
	help := "Run a file by its path, such as `bash x.sh`; save a download first (curl -fsSLo /tmp/x.sh URL) and read it."
}
