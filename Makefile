# Two commands: `make live` sets up and opens the instrument, `make test` sets up and runs the checks.
# Everything lands in .venv, at the exact versions of constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet

.PHONY: live test check setup setup-test system clean

live: setup
	@$(BIN)/sidlive

test: setup-test
	@$(MAKE) --no-print-directory check

check:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@echo "compiling the kernels, if they have changed ..."
	@$(BIN)/python -c 'from sidlive.live.processes import compile_ahead as c, options; c.compile_tunes_beside(); c.compile_ahead(options.RoomOptions(), lambda line: None)'
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

setup: system $(VENV)/.play
setup-test: system $(VENV)/.test

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "sidlive needs Python 3.11 or newer, found $$($(PYTHON) --version 2>&1): make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "Python cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.play: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing sidlive into $(VENV) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.play
	@echo "installing what training and the tests need into $(VENV) ..."
	@$(PIP) -e '.[test]'
	@touch $@

# PortAudio brings the sound on Linux (the wheels for macOS and Windows carry it). Without it the instrument opens silent.
system:
	@if [ "$$(uname)" = Linux ] && ! ldconfig -p 2>/dev/null | grep -q libportaudio.so.2 && ! /sbin/ldconfig -p 2>/dev/null | grep -q libportaudio.so.2; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing PortAudio ..."; \
			{ apt-get -qq update && apt-get -qq install -y --no-install-recommends libportaudio2; } >/dev/null 2>&1 \
				|| echo "PortAudio could not be installed; for sound run: apt-get install libportaudio2"; \
		else \
			echo "no sound without PortAudio; to hear the instrument run: sudo apt-get install libportaudio2"; \
		fi; \
	fi

clean:
	rm -rf $(VENV) build *.egg-info
