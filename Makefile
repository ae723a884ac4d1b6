PYTHON ?= python3.11

.PHONY: demo test bench lock

.venv/run: requirements.lock pyproject.toml
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch .venv/run
