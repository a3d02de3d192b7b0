# make run               a pruned Resnet-20, its graph and its topometrics
# make run ARGS="..."    the same with flags (make run ARGS=--help lists them)
# make test, make lint   the checks; one process a core runs the tests (ARGS="-n 0": one in all)
# Each sets up .venv by itself; PYTHON=python3.12 picks the interpreter.

PYTHON ?= python3
ARGS ?=
VENV := .venv
READY := $(VENV)/.installed

.PHONY: run test lint clean

run: $(READY)
	@$(VENV)/bin/python main.py $(ARGS)

test: $(READY)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

# The stamp carries the date of the last complete installation, so a second `make` is immediate and
# an interrupted or outdated one is done again.
$(READY): deps/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check -r deps/requirements.txt
	@echo "Compiling what a run needs, once"
	@$(VENV)/bin/python main.py --pruning erk --encoding unrolled rolled --force \
	    --output-dir $(VENV)/first_run >/dev/null 2>&1 || true # the user's own run will say why
	@touch $@

clean:
	rm -rf $(VENV)
