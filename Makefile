# Every target sets up what it needs, then runs. CA_BUNDLE=FILE: a company's certificates, for the images as well.
# MOST_S=SECONDS: for either part of the tests, on a machine that is slower than two cores of ours.
.DEFAULT_GOAL := help
.PHONY: help setup demo test soak vm bench check lock clean
SHELL := /bin/sh
BIN := .venv/bin
CA_BUNDLE ?= $(SSL_CERT_FILE)
MOST_S ?= 1080
export CA_BUNDLE

help:
	@echo "make demo    see Sandgate at work: a session, a refusal, and the record of both"
	@echo "make test    all tests but the long ones, a quarter of an hour on two cores"
	@echo "make soak    the long tests"
	@echo "make vm      what this machine's kernel may not have, in a virtual machine: cgroup v2, XFS quotas"
	@echo "make bench   the speeds that we promise, measured here"
	@echo "make check   lint, format, types and import rules"
	@echo "make setup   only what the others need: Python, an engine, the images"
	@echo "make lock    choose new versions of what we depend on"
	@echo "make clean   stop our own engine and remove .venv and .tools"

setup:
	@sh scripts/setup

demo: setup
	@$(BIN)/sandgate demo

test: setup
	@sh scripts/setup --browser
	$(BIN)/pytest -m "not soak and not alone" -n 2 --dist loadfile --no-loadscope-reorder --session-timeout=$(MOST_S) --durations=15
	$(BIN)/pytest -m "alone and not soak" --session-timeout=$(MOST_S)

soak: setup
	$(BIN)/pytest -m soak --timeout=1800

vm: setup
	@sh scripts/vm $(BIN)/pytest -v --timeout=900 $(addprefix tests/security/test_,container.py ends.py disk.py disk_full.py landlock.py storms.py)

bench: setup
	@$(BIN)/sandgate bench

check:
	@sh scripts/setup --python-only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy images/agent/agent.py images/agent/folder_process.py images/agent/weigh.py
	$(BIN)/lint-imports

lock:
	@sh scripts/setup --python-only
	sh scripts/setup --uv pip compile --universal --generate-hashes --no-annotate --no-header pyproject.toml -o requirements/run.txt
	printf 'mitmproxy\ncryptography\nidna\nbrotli\nzstandard\n' | sh scripts/setup --uv pip compile --universal --python-version 3.13 --generate-hashes --no-annotate --no-header - -c requirements/run.txt -o requirements/egress.txt
	sh scripts/setup --uv pip compile --universal --generate-hashes --no-annotate --no-header --group dev pyproject.toml -o requirements/dev.txt

clean:
	-@if [ -x $(BIN)/sandgate ]; then $(BIN)/sandgate engine stop; fi
	rm -rf .venv .tools
