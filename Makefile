PYTHON ?= python3
export ODOO_DIR

.PHONY: setup lock

setup:
	@$(PYTHON) -m dev.setup
