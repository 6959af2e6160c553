# METADATA
# title: Disks and devices
# description: |
#   Disk tools and block devices are denied, and so is writing in /dev, but for null, the streams and shm. An image in a
#   file is no disk.
# custom:
#   held_by: container
package sandgate.rules.destruction.devices

import data.sandgate.paths

_help := "Write to a file in the workspace or in /tmp, such as disk.img; /dev/null and /dev/stdout are fine."

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some command in data.sandgate.facts.tagged.disk
	not _on_an_image(command)
	reason := sprintf("%s works on disks, and there is none to work on.", [command.name])
}

# The image of a disk is a file as others are.
_on_an_image(command) if {
	not null in command.argv
	some word in command.words
	regex.match(_image, word)
	count([1 | some path in paths.of(command); regex.match(`^/(dev|proc|sys)(/|$)`, path)]) == 0
	count([1 | some cwd in array.concat([command.cwd], command.other_cwds); not is_string(cwd)]) == 0
}

_image := `^[A-Za-z0-9_./-]*\.(img|iso|raw|ext[234]|fat|qcow2|disk)$`

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some path in input.paths
	path.op == "write"
	startswith(path.resolved, "/dev/")
	not regex.match(`^/dev/(null|zero|full|tty|stdin|stdout|stderr|fd/[0-9]+|(shm|pts)/.*)$`, path.resolved)
	reason := sprintf("The device %s was to be written.", [path.resolved])
}

findings contains {"effect": "deny", "reason": reason, "help": _help} if {
	some path in input.paths
	path.op == "read"
	regex.match(_disks, path.resolved)
	reason := sprintf("The device %s was to be read.", [path.resolved])
}

_disks := concat("", [
	`^/dev/((sd|hd|vd|xvd)[a-z]+[0-9]*|(nvme|mmcblk|loop|dm-|md|ram|sr|zd|nbd)[0-9].*`,
	`|(mapper|disk|block)/.*|mem|kmem|port|kmsg|fuse|kvm)$`,
])
