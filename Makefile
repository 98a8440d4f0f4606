# The same commands at the desk and in CI. README's first screen has the first two.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run install demo test test-deps check format bench soak lock clean
.DEFAULT_GOAL := run

run: .venv/.installed ## the whole product on the embedded default
	@$(BIN)/mailgate serve

install: .venv/.installed ## only the environment

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mailgate needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "Python cannot make a virtual environment here. Install it first: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.installed requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: .venv/.installed ## one scripted round trip on free ports, ends by itself
	@$(BIN)/python samples/demo.py

test: .venv/.dev ## the suite; CI=true also installs the real servers
	@if [ "$(CI)" = "true" ]; then $(MAKE) --no-print-directory test-deps; fi
	$(BIN)/pytest

test-deps: ## real servers and the browser, from Debian packages (root) and npm
	tests/peers/install.sh

check: .venv/.dev ## format, lint, types, imports, sizes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/structure.py

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.dev ## figures, never asserted
	$(BIN)/python tests/benchmarks/run.py

soak: .venv/.dev ## long runs, outside CI: crashes, fuzzing, TLS from every side
	ROUNDS=50 $(BIN)/pytest tests/faults -s
	$(BIN)/python tests/fuzz/fuzz_smtp.py --seconds 600
	$(BIN)/python tests/fuzz/fuzz_mail.py --seconds 600
	SOAK=1 $(BIN)/pytest tests/peers/test_tls_versions.py tests/mailgate/test_hostile_mime.py

lock: .venv/.dev ## names, versions and hashes only
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv build ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
