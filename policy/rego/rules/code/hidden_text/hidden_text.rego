# METADATA
# title: Text that does not show
# description: Control and direction characters hide text from the person who reads it, so they are asked about.
# custom:
#   held_by: words
package sandgate.rules.code.hidden_text

findings contains {"effect": "ask", "reason": reason, "help": help} if {
	input.script.control_chars
	reason := "The command holds control, zero-width or direction characters, which hide what it says."
	help := "Type it anew without them; in strings use escapes such as $'\\t' or printf."
}
