"""Every setting as a commented file: what `sandgate init` writes."""

TEMPLATE = """\
# Sandgate's settings. Every line here is a default; take a # away to change it. Unknown keys are errors.
# Weakest first: /etc/sandgate/sandgate.toml, this file, --config or SANDGATE_CONFIG, SANDGATE_* variables;
# /etc/sandgate/managed.toml is a ceiling above all of them: its lists replace yours, the smaller limit and the stricter
# profile hold, workspaces lie within its own.

# environment = "python"        # what sandboxes are made of: base, python, node
# results = "auto"              # auto | text | structured | both: what a client is sent
# tools = ["shell", "jobs", "files", "sessions", "policy"]
# allow_root_owned = false      # lend folders that belong to root

[policy]
# profile = "standard"          # open | standard | strict
# allow = []                    # commands by name and sub-command that need no question: ["git push"]
# ask = []
# deny = []
# custom = []                   # folders with Rego of your own, package sandgate_custom.NAME: findings of calls, and
#                               # egress_findings of requests (input.egress: host, port, method, path)
# opa_url = ""                  # an OPA server decides instead, with the bundle of `sandgate policy export`
# opa_ca = ""                   # whom to trust there; opa_cert: certificate and key to come with
# opa_token_file = ""           # sent as a bearer token, over https or loopback only
# opa_deadline_s = 1.0          # for one answer; after it the call is denied

[egress]
# allow = []                    # hosts: "example.com", "*.example.com" (not the apex), "example.com:8443",
#                               # "tcp://db.example.com:5432" (bytes that nobody reads),
#                               # {host = "api.example.com", methods = ["GET"], paths = ["/v1/*"]},
#                               # roles = ["dev"] beside them: for callers of that role alone
# ask = []                      # hosts that a person is asked about while the request waits: "*.example.com", or "*"
# hold_s = 60                   # so long; then it is refused, and may be tried again once the answer is there
# held = 8                      # requests of each session that wait at once
# mode = "enforce"              # learn refuses nothing public and records everything
# networks = []                 # private networks that allowed names may lead to: ["10.1.0.0/16"]
# resolve = {}                  # names you resolve yourself: {"git.example" = "10.1.2.3"}
# connections = 128             # of each session, at once
# tls_per_second = 30           # new ones of each session; more wait their turn, far more are refused
# upload_mb = 0                 # of each session in its life; 0: no limit
# download_mb = 0
# upstream_ca = ""              # certificates to trust beyond the gate, beside the system's
# proxy = ""                    # by which the gate reaches the world: "http://proxy.example:3128"
# gate = ""                     # the control socket of a gate that runs as a container of its own (examples/compose)

[sandbox]
# cpus = 2.0
# memory_mb = 2048
# disk_mb = 4096                # where the engine has a quota (overlay2 on XFS with pquota)
# pids = 1024
# open_files = 4096
# grace_s = 30                  # how long a sandbox waits for a server it lost
# freeze_after_s = 120          # a session that nobody used for so long stands still until the next call; 0: never
# park_after_s = 1200           # one that nobody used for so long keeps its files, and gives its sandbox back until then
# keep_parked_s = 1209600       # seconds since it was last used; then it is gone; 0 keeps it for ever
# idle = 1                      # warm sandboxes of each kind in use, at least; 0: none
# most_idle = 8                 # as many as were claimed of late are kept warm, up to this
# made_at_once = 4              # sandboxes in the making at the same time
# require_landlock = false      # refuse to start where the kernel cannot hold path rules
# weigh_disks = true            # without a quota, a container that sees all processes of the engine's machine weighs them
# images = {base = "sandgate/base", python = "sandgate/python", node = "sandgate/node"}
#                               # any image of the engine's, also one without Python, bash or glibc; `sandgate images
#                               # build node` makes node. Warm caches: an environment whose setup fills them, see below
# socket_volume = "sandgate-run"   # the engine's volume at runtime_dir, where the server is a container: examples/compose
# runtime = "runsc"             # gVisor or another runtime that the engine knows; nothing: the engine's own

# keep_snapshots_s = 2592000    # seconds since a snapshot was last used; 0 keeps it for ever
# keep_prepared_s = 2592000     # the same for prepared environments

# [environments.data]           # an environment of your own; environment = "data" chooses it
# image = "python"              # a name of sandbox.images, or any image the engine has
# setup = ["pip install -r requirements.txt"]   # run once, judged and recorded as any call
# cache_on = ["requirements.txt"]               # files of the first workspace: where one changes, setup runs again
# network = ["index.example.com"]   # out of egress.allow; nothing: all of it
# idle = 2                      # warm ones of it, instead of sandbox.idle
# setup_timeout_s = 900         # of each command
# roles = ["dev"]               # for callers of one of these alone; the same beside a workspace and a secret

# [[policy.paths]]              # a path rule: allow | ask | deny
# glob = "/workspace/secrets/**"
# ops = ["read", "write", "delete", "list"]
# effect = "deny"

# [[workspace]]                 # a folder of yours, in every sandbox
# path = "/home/me/project"
# mode = "copy"                 # copy: changes come back by `sandgate apply`; rw | ro: the folder itself is mounted
# roles = ["dev"]

# [[secret]]                    # a key that programs can use and no sandbox ever holds
# name = "openai"
# variable = "OPENAI_API_KEY"   # holds a placeholder there; the gate swaps it on the way out, and masks it in answers
# host = "api.openai.com"       # exactly one, over TLS; "host:8443" for another port. It has to be in egress.allow too
# paths = ["/v1/**"]            # nothing: every path
# headers = ["authorization"]   # where it may stand; Basic authentication as well
# file = "/run/secrets/openai"  # where the value is: file, command = ["pass", "show", "openai"], or env = "NAME", which
#                               # other programs of yours can read. A changed file is taken up at once
# prefix = "sk-"                # what the placeholder begins with, for programs that look
# refresh_s = 300               # how long what a command printed is believed
# roles = ["dev"]

[limits]                        # of one caller, where nothing else is said
# calls_per_second = 50
# burst = 200
# concurrent = 64               # calls that run at once
# queued = 64                   # calls that wait for their turn, behind the caller's own and nobody else's
# queue_s = 5                   # for how long; then they are refused, with when to try again
# all_concurrent = 256          # of all callers together
# sessions = 100                # awake, of all callers together
# sessions_each = 100           # awake, of one caller; less than sessions where callers share a server
# parked = 50                   # the one that was not used for longest ends
# output_mb = 4096              # of what its commands wrote; the oldest gives way
# snapshots = 20                # of one caller; the oldest gives way
# snapshots_mb = 16384          # all of one caller's together

# [limits.tools.shell]          # of one tool of one caller, beside those above
# calls_per_second = 50
# burst = 200
# concurrent = 64

[approvals]
# pending_s = 900               # a question for a person waits so long, and so does a yes for its call

[anomalies]                     # what is unusual of one caller: a line anomaly.* of the audit, and what follows
# denials = {count = 20, window_s = 60, effect = "record"}   # effect: ask puts each further call of the session to a
# sent_mb = {count = 500, window_s = 600}                    # person; freeze answers none and stops what runs, until
# new_hosts = {count = 50, window_s = 600}                   # `sandgate sessions release NAME`. A count of 0: never
# failed_files = {count = 100, window_s = 60}
# failed_logins = {count = 20, window_s = 60}                # of one address; only recorded

[http]                          # for `sandgate serve --http`
# hosts = []                    # names that clients call this server by, beside localhost: ["sandgate.example.com"]
# origins = []                  # web pages that may call it: ["https://chat.example.com"]
# public_url = ""               # how clients reach it, where a proxy stands before it
# tls_cert = ""                 # a PEM chain; tls_key: its key
# trusted_proxies = []          # addresses whose X-Forwarded-* headers are believed
# body_mb = 8                   # of one request, at most
# upload_mb = 32                # of one file that is put to /files
# download_mb = 1024            # of one that is fetched from there

# [[http.tokens]]               # written by `sandgate token new NAME`; only the hash is kept
# name = "ann"
# sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
# roles = ["user"]
# expires = 2027-01-31

# [http.jwt]                    # signed tokens of your identity provider
# issuer = "https://id.example.com"
# audience = "sandgate"
# algorithms = ["RS256", "ES256"]
# groups_claim = "groups"
# roles = {"platform-team" = "admin"}

[audit]
# fsync = "interval"            # always: every line is on the disk before its call goes on
# rotate_mb = 256               # a file that is larger is closed, and the chain goes on in the next; 0: never
# rotate_days = 0               # the same for one that was begun so long ago
# keep_files = 0                # closed ones that are kept, of which each is removed in turn; 0: all
# mask = []                     # regular expressions; what matches is *** in every line: ["ghp_[A-Za-z0-9]{36}"]
# head_every_s = 3600           # where the chain stands, into the server's log; 0: never

# [[audit.export]]              # to whom lines are sent as well
# name = "siem"
# kind = "https"                # lines of JSON by POST; otlp: log records, to .../v1/logs; syslog: RFC 5424, to
# url = "https://log.example.com/in"   # unix:///dev/log, udp://HOST:514, tcp://HOST:601 or tls://HOST:6514
# format = "native"             # ocsf: events of the Open Cybersecurity Schema Framework
# token_file = ""               # sent as a bearer token
# ca = ""                       # whom to trust there, instead of the system's authorities
# backlog_mb = 64               # of more that waits to be sent, the older half is passed over, and the audit says so

[telemetry]                     # beside /metrics, which `serve --http` answers to the role auditor
# traces = "http://collector.example.com:4318/v1/traces"   # where spans go, by OTLP over HTTP; nothing: nowhere
# traces_ca = ""                # whom to trust there, instead of the system's authorities
# log = "text"                  # json: one object a line, with the decision_id of the call it is about
"""
