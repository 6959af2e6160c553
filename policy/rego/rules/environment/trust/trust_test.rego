package sandgate.rules.environment.trust_test

import data.sandgate.testing

test_a_proxy_elsewhere_is_found if {
	"ask" in testing.effects(data.sandgate.rules.environment.trust.findings)
		with input as testing.asks({"commands": [{
			"argv": ["make"],
			"assigns": [{"name": "ALL_PROXY", "value": "socks5://evil.example:1"}],
		}]})
}

test_an_empty_proxy_is_let_pass if {
	count(data.sandgate.rules.environment.trust.findings) == 0
		with input as testing.asks({"commands": [{
			"argv": ["make"],
			"assigns": [{"name": "http_proxy", "value": ""}],
		}]})
}

test_a_proxy_that_is_not_known_is_found if {
	"ask" in testing.effects(data.sandgate.rules.environment.trust.findings)
		with input as testing.asks({"commands": [{
			"argv": ["make"],
			"assigns": [{"name": "https_proxy", "value": null}],
		}]})
}
