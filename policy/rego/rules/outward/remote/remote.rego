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
	help := object.get(_free, command.name, _help)
}

_help := "Work on files and services inside the sandbox; localhost is free. The operator can allow this command."

_free := {name: sprintf("%s is free; what changes something there waits for a person, or for the operator.", [what]) |
	some name, what in {
		"docker": "What only looks, such as docker ps, docker logs, docker compose config or docker build --check,",
		"kubectl": "What only looks, such as kubectl get or kubectl apply --dry-run=client,",
		"terraform": "What only looks, such as terraform validate or terraform plan,",
		"helm": "What only looks, such as helm template or helm lint,",
		"ansible-playbook": "What only looks, such as ansible-playbook --syntax-check,",
		"aws": "A service here, with --endpoint-url http://localhost:4566,",
	}
}

_stays(command) if {
	count(command.argv) == 2
	command.argv[1] in {"--version", "-V", "version", "--help", "-h"}
}

_stays(command) if {
	regex.match(_looks[command.name], concat(" ", [word |
		some word in array.slice(data.sandgate.facts.sub_command(command), 0, 2)
		is_string(word)
	]))
	not regex.match(`(?m)^secrets?(/|$|,)|^--remote$`, command.text)
}

# openssl talks to nobody but in these.
_stays(command) if {
	command.name == "openssl"
	not regex.match(`^(s_client|s_time|ocsp|ts|cmp)(\n|$)`, command.text)
}

_stays(command) if {
	command.name == "openssl"
	regex.match(`^s_client\n([^\n]*\n)*-connect\n(localhost|127\.0\.0\.1|\[::1\]):[0-9]+(\n|$)`, command.text)
	not regex.match(`(?m)^--?(proxy|host|port|bind)(=|$)|^--?connect(=|\n([^\n]*\n)*--?connect$)`, command.text)
}

_stays(command) if {
	command.name in {"ping", "ping6", "dig", "host", "nslookup", "getent"}
	some word in command.words
	regex.match(`(?i)^(localhost|127\.0\.0\.1|::1)$`, word)
	not _elsewhere(command)
}

# Listens, and starts nothing.
_stays(command) if {
	command.name in {"nc", "ncat", "netcat"}
	facts.has_short(command, "l")
	not null in command.argv
	not regex.match(`(?im)^-[a-z]*[ecx]|exec|--lua|--proxy`, command.text)
}

# A database here.
_stays(command) if {
	command.name in _clients
	not _other_host(command)
}

_clients := {"psql", "pg_dump", "pg_restore", "mysql", "mariadb", "mysqldump", "redis-cli", "mongosh", "mongo"}

_other_host(command) if {
	some at, word in command.argv
	word in {"-h", "--host"}
	not command.argv[at + 1] in {"localhost", "127.0.0.1", "::1"}
	not _socket(command.argv[at + 1])
}

# An address with a host of its own, or the words of libpq that name one.
_other_host(command) if {
	some word in command.words
	regex.match(`^[a-z]+(\+[a-z]+)?://`, word)
	not regex.match(_local_address, word)
}

_other_host(command) if {
	others := regex.replace(command.text, _local_words, "")
	regex.match(`(?i)(^|[\s?&])host(addr)?\s*=`, others)
}

_local_words := `(?i)\bhost(addr)?\s*=\s*'?(localhost|127\.0\.0\.1|::1|/[^\s,'&]*)'?([\s&]|$)`

_local_address := `^[a-z]+(\+[a-z]+)?://([^/@\s]*@)?(localhost|127\.0\.0\.1|\[::1\])?(:[0-9]*)?([/?][^@,]*)?$`

_socket(word) if {
	is_string(word)
	startswith(word, "/")
}

_other_host(command) if {
	some word in command.words
	regex.match(`^(-h.|--host=)`, word)
	not regex.match(`^(-h|--host=)(localhost|127\.0\.0\.1|::1|/.*)$`, word)
}

_docker := concat("", [
	`^((ps|images|logs|inspect|version|info|top|port|diff|history|stats|search)( |$)`,
	`|(compose|stack) (ps|logs|config|ls|images|top|port|version)$`,
	`|(container|image|volume|network|system|context|builder|buildx) (ls|list|inspect|df|ps|logs|version|show|top)$)`,
])

# With options of compose's own in front.
_stays(command) if {
	command.name in {"docker", "podman", "nerdctl"}
	regex.match(
		concat("", [
			`^compose\n((-f|--file|-p|--project-name|--profile)(=[^\n]*|\n[^\n]*)\n)+`,
			`(ps|logs|config|ls|images|top|port|version)(\n|$)`,
		]),
		command.text,
	)
}

_stays(command) if {
	command.name == "docker"
	regex.match(`^(buildx\n)?build\n([^\n]*\n)*--check(\n|$)`, command.text)
}

# Asks the cluster for nothing but what it knows; the last of several such options would hold.
_stays(command) if {
	command.name == "kubectl"
	data.sandgate.facts.sub_command(command)[0] in {
		"apply", "create", "run", "expose", "set", "scale", "label", "annotate", "patch", "replace", "delete",
	}
	[word | some word in command.words; startswith(word, "--dry-run")] == ["--dry-run=client"]
	not null in command.argv
}

_stays(command) if {
	command.name == "ansible-playbook"
	regex.match(`(?m)^--(syntax-check|list-(tasks|tags|hosts))$`, command.text)
}

# A service of the same shape here.
_stays(command) if {
	command.name == "aws"
	given := [word | some word in command.words; startswith(word, "--endpoint")]
	count(given) == 1
	regex.match(`(?m)^--endpoint-url(=|\n)https?://(localhost|127\.0\.0\.1)(:[0-9]+)?/?$`, command.text)
}

_terraform := `^(init|fmt|validate|plan|show|output|version|graph|providers|get|(state|workspace) (list|show))( |$)`

# What only looks: the gate lets no more of it out than its list has.
_looks := {
	"getent": `^(aliases|ethers|group|gshadow|initgroups|netgroup|networks|passwd|protocols|rpc|services|shadow)( |$)`,
	"docker": _docker,
	"docker-compose": `^(ps|logs|config|ls|images|top|port|version)( |$)`,
	"packer": `^(validate|fmt|inspect|version)( |$)`,
	"podman": _docker,
	"skopeo": `^inspect( |$)`,
	"vagrant": `^(status|validate|version|port|global-status)( |$)`,
	"nerdctl": _docker,
	"terraform": _terraform,
	"tofu": _terraform,
	"kubectl": concat("", [
		`^((get|describe|logs|version|explain|api-resources|api-versions|top|cluster-info|diff|kustomize)( |$)`,
		`|config (view|get-contexts|current-context)$|auth can-i$|rollout (status|history)$)`,
	]),
	"wrangler": `^(dev|types|check)( |$)`,
	"netlify": `^(build|dev)( |$)`,
	"vercel": `^(build|dev)( |$)`,
	"firebase": `^emulators:start( |$)`,
	"helm": concat("", [
		`^((template|lint|list|ls|status|history|search|version|show|verify)( |$)|(repo|plugin) list$`,
		`|(dependency|dep) (list|build|update)$|repo update$)`,
	]),
}

_stays(command) if {
	command.name == "socat"
	not null in command.argv
	addresses := [word | some word in command.words; not startswith(word, "-d")]
	count([1 | some address in addresses; not regex.match(_near, address)]) == 0
}

_near := concat("", [
	`(?i)^(-|stdio|stdin|stdout|tcp[46]?(-connect)?:(localhost|127\.0\.0\.1|\[::1\]):[0-9]+|tcp[46]?-listen:[0-9]+`,
	`|unix-(connect|listen):/tmp/[^:!,]*)(,(fork|reuseaddr|crlf|bind=(localhost|127\.0\.0\.1)))*$`,
])

_stays(command) if {
	command.name in {"nc", "ncat", "netcat", "telnet", "socat"}
	[why | some why in command.dynamic; not why in {"", "number"}] == []
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
