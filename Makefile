PYTHON ?= python3.11
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check
PIP_DOWNLOAD = .venv/bin/python -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation --no-binary jsonschema
PACKAGES = adapters centralserver contracts pki securityserver serverkit spean xroad
UV_COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: demo test docs bench lock

# See the whole bus at work on this computer. Takes about a minute the first time, ten to twenty seconds after that.
demo: .venv/run
	.venv/bin/spean sandbox demo

# Lint, types and every test.
test: .venv/dev .venv/schema-suite
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .
	.venv/bin/pytest -q -n 2

# The data dictionary of the shared standard, as pages: open build/dictionary/index.html.
docs: .venv/dev
	.venv/bin/spean contract docs build/dictionary

# For developers: how fast is an exchange, next to two baselines, and with tokens that are slow; a validation; a mapping; a search in the
# log of a million records (of ten million: python -m bench.log, which takes 20 GB of disk and most of an hour)?
bench: .venv/dev
	.venv/bin/python -m bench
	.venv/bin/python -m bench.batch
	.venv/bin/python -m bench.contracts
	.venv/bin/python -m bench.mapping
	.venv/bin/python -m bench.writing
	.venv/bin/python -m bench.crosswalk
	.venv/bin/python -m bench.log --records 1000000

# For developers: choose the newest versions that pyproject.toml allows. Setuptools is locked too, because it installs this project.
lock:
	echo "setuptools>=80" | $(UV_COMPILE) --extra sandbox --output-file requirements.lock pyproject.toml -
	$(UV_COMPILE) --extra sandbox --extra docs --extra postgresql --extra s3 --extra openpgp --extra nats --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run: requirements.lock pyproject.toml | .venv/bin/python
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	.venv/bin/python -m compileall -q $(PACKAGES)
	touch $@

# The developers' lock holds all of the other one, so that both targets share one environment.
.venv/dev: requirements-dev.lock pyproject.toml | .venv/bin/python
	$(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	.venv/bin/python -m compileall -q $(PACKAGES)
	touch $@ .venv/run

# The official JSON Schema Test Suite. No wheel has it, but the source archive of jsonschema does, by the hash of the same lock.
.venv/schema-suite: requirements-dev.lock | .venv/dev
	rm -rf .venv/jsonschema-source $@
	mkdir .venv/jsonschema-source
	sed -n '/^jsonschema==/,/# via/p' requirements-dev.lock > .venv/jsonschema-source/requirements.txt
	$(PIP_DOWNLOAD) --requirement .venv/jsonschema-source/requirements.txt --dest .venv/jsonschema-source
	.venv/bin/python -m tarfile --extract .venv/jsonschema-source/jsonschema-*.tar.gz .venv/jsonschema-source
	mv .venv/jsonschema-source/jsonschema-*/json $@
	rm -rf .venv/jsonschema-source
	touch $@
