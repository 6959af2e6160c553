# METADATA
# title: Variables that name a program
# description: EDITOR, PAGER and their like are run by other programs, so they may name well-known ones only.
# custom:
#   held_by: words
package sandgate.rules.environment.programs

_names := {
	"EDITOR", "VISUAL", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "PAGER", "GIT_PAGER", "MANPAGER", "BROWSER", "SYSTEMD_PAGER",
	"FCEDIT", "LESSEDIT", "SVN_EDITOR", "HGEDITOR", "KUBE_EDITOR", "AWS_PAGER", "GH_PAGER", "DELTA_PAGER", "BAT_PAGER",
}

findings contains {"effect": "deny", "reason": reason, "help": help} if {
	some assign in data.sandgate.facts.assigns
	assign.name in _names
	not _known(assign.value)
	reason := sprintf("%s would name a program of unknown make that others then run.", [assign.name])
	help := "Name a well-known program, such as PAGER=cat or EDITOR=true."
}

_tools := `^((/usr)?/bin/)?(|cat|less|more|head|true|false|:|echo|vim?|nano|ed|ex|emacs|code( --wait)?)( -[A-Za-z]+)*$`

_known(value) if {
	is_string(value)
	regex.match(_tools, value)
}
