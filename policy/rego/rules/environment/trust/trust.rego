# METADATA
# title: Variables that say whom to trust
# description: |
#   Proxies and certificate authorities decide who sees and answers a program's requests. The gate is the one way out
#   whatever they say, but a program that trusts somebody else takes its answers for those of the host it asked.
# custom:
#   held_by: gate
package sandgate.rules.environment.trust

_names := concat("", [
	`(?i)^((https?|ftp|all|socks5?|rsync)_proxy|ssl_cert_(file|dir)|ssl_no_verify|requests_ca_bundle|curl_ca_bundle`,
	`|curl_home`,
	`|curl_ssl_backend|wgetrc|node_extra_ca_certs|node_tls_reject_unauthorized|git_ssl_.*|git_proxy_ssl_.*`,
	`|pythonhttpsverify`,
	`|pip_(cert|proxy|trusted_host)|aws_ca_bundle|cargo_http_(proxy|cainfo|check_revoke)|npm_config_(proxy`,
	`|https_proxy|cafile`,
	`|ca|strict_ssl)|uv_(insecure_host|native_tls)|sslkeylogfile|deno_(cert|tls_ca_store)|hex_cacerts_path`,
	`|perl_lwp_ssl_.*)$`,
])

findings contains {"effect": "ask", "reason": reason, "help": help} if {
	some assign in data.sandgate.facts.assigns
	regex.match(_names, assign.name)
	not _tame(assign)
	reason := sprintf("Setting %s changes whom later programs trust or talk through.", [substring(assign.name, 0, 60)])
	help := "Leave it as it is: the sandbox's own settings reach every allowed host, and trust its gate."
}

# No proxy, or one in the sandbox; the certificates of the system.
_tame(assign) if {
	is_string(assign.value)
	regex.match(`(?i)_proxy$`, assign.name)
	regex.match(`^$|^(https?|socks5h?)://(localhost|127\.0\.0\.1)(:[0-9]+)?/?$`, assign.value)
}

_tame(assign) if {
	is_string(assign.value)
	regex.match(`(?i)^(ssl_cert_(file|dir)|.*_ca_bundle|git_ssl_ca(info|path)|pip_cert|node_extra_ca_certs)$`, assign.name)
	regex.match(`^/(etc/ssl|usr/share/ca-certificates)/[^.]*(\.(pem|crt))?$`, assign.value)
}
