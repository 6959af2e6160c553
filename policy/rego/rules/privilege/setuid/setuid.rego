# METADATA
# title: Setuid modes
# description: A file that runs with its owner's rights is a way to gain rights, so no such mode is set.
# custom:
#   held_by: kernel
package sandgate.rules.privilege.setuid

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some command in data.sandgate.facts.tagged.mode
	regex.match(`(?m)^(-m=?|--mode=)?([ugoa]*[+=][rwxXt]*s|0?[2-7][0-7]{3}$)`, command.text)
	reason := sprintf("%s was to set a setuid or setgid mode.", [command.name])
	help := "Use a mode without the s bit, such as 755."
}
