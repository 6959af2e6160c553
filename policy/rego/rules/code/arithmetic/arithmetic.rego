# METADATA
# title: Data that bash evaluates
# description: Arithmetic, array subscripts and ${x@P} evaluate the text of variables, which can hold a command.
# custom:
#   held_by: words
package sandgate.rules.code.arithmetic

findings contains {"effect": "ask", "reason": reason, "help": help} if {
	input.script.latent_arithmetic
	reason := "A variable's text would be evaluated as an expression, and it can hold a command."
	help := "Use plain numbers in $(( )), and python3 for anything more."
}
