# Debian's own Python is built with optimizations, with which all takes less time than on one of pyenv's
PYTHON ?= $(shell /usr/bin/python3 -c 'import sys, ensurepip, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .dev/venv/bin/python
export ODOO_DIR UPGRADE

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-reset walk screenshots test one torture bench contract lint format dist lock clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | \
		while IFS="$$(printf '\t')" read -r target text; do printf '  make %-12s %s\n' "$$target" "$$text"; done

setup: ## Bring all that demo and tests need, below .dev/ and your cache folder
	@$(PYTHON) -m dev.setup

demo: setup ## A shop that takes Bitcoin, with a BTCPay Server to play with; Ctrl-C stops it
	@$(VENV) -m dev.demo

demo-reset: ## Forget the demo's data
	@if [ -x $(VENV) ]; then $(VENV) -m dev.demo reset; fi

walk: setup ## The whole story in a browser: connect, buy, pay, see the order paid
	@$(VENV) -m dev.walk

screenshots: setup ## The pictures of README.rst and of the app store, taken from the demo
	@$(VENV) -m dev.screenshots

test: setup ## Linters, contract tests, the module's tests with browser tours
	@$(VENV) -m dev.test

one: setup ## Single tests in seconds, on a database that is kept: make one T=TestX.test_y
	@$(VENV) -m dev.test.one $(T)

torture: setup ## Random payments and faults, several workers, Odoo killed, any input
	@$(VENV) -m dev.torture
	@FUZZ=20 $(VENV) -m pytest dev/greenfield/fuzz_test.py -q
	@FUZZ=20 $(VENV) -m dev.test.one TestFuzzRoutes TestFuzzAnswers

bench: setup ## What payments cost, beside Odoo's own providers; some of it: make bench PART=table
	@$(VENV) -m dev.bench $(PART)

contract: setup ## Compare the BTCPay stand-in with what a real server was seen to do
	@$(VENV) -m pytest dev/contract

lint: setup ## Linters only: ruff, pylint-odoo, mypy, prettier, eslint
	@$(VENV) -m dev.test lint pylint mypy web

format: setup ## Lay out JavaScript and XML as the linters want it
	@$(VENV) -m dev.test.web --write

dist: setup ## The module as a wheel and as a zip file for the addons path, in .dev/dist
	@$(VENV) -m dev.dist

lock: setup ## Renew dev/requirements*.txt from the .in files
	@$(VENV) -m dev.setup.lock

clean: ## Remove .dev/ with the demo's data (the cache folder stays)
	@if [ -x $(VENV) ]; then $(VENV) -m dev.demo stop && $(VENV) -m dev.odoo stop; fi
	@rm -rf .dev
