# Two commands do everything: `make paint` and `make test`.
PYTHON ?= python3
PHOTO ?=
ARGS ?=
COLAB_PYTHON ?= python3.13
OUT ?= painting
BRUSHES ?= acrylic calligraphy chalk charcoal kabura marker pencil textured_ink
BIN := .venv/bin
APT := $(shell command -v apt-get)
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: paint test fuzz cluster-test lint html colab presets engine address clean

paint: .venv/.installed
	@photo="$(PHOTO)"; [ -n "$$photo" ] || photo="$$($(BIN)/python -c \
	  'import matplotlib; print(matplotlib.get_data_path())')/sample_data/grace_hopper.jpg"; \
	$(BIN)/nbpainter paint "$$photo" --out "$(OUT)" $(ARGS)

test: .venv/.installed-test engine
	$(BIN)/python -m pytest -n 2 --dist worksteal
	NBPAINTER_SMOKE_TEST=1 $(BIN)/python -m pytest --nbval-lax -x \
	  --nbval-current-env --nbval-cell-timeout=300 notebooks

# The search of tests/test_fuzz.py for about an hour, ten minutes for each of
# its six kinds, with other seeds each time.
fuzz: .venv/.installed-test engine
	NBPAINTER_FUZZ_SECONDS=$(or $(SECONDS),600) \
	  $(BIN)/python -m pytest tests/test_fuzz.py

# Work on a Dask cluster: a scheduler and two workers on this machine.
cluster-test: .venv/.installed-test engine
	$(BIN)/python -m pip install -q -e '.[test,cluster]'
	$(BIN)/python -m pytest tests/test_parallel.py

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The executed notebooks as pages. NBPAINTER_SMOKE_TEST=1 makes it quick.
html: .venv/.installed-html
	$(BIN)/python docs/make_html.py html

# The repository's address, in badges and first cells: REPO=owner/name.
address:
	@$(PYTHON) docs/set_address.py "$(REPO)"

# The notebooks on Colab's versions, the package installed as their cell does.
colab:
	$(COLAB_PYTHON) -m venv .colab
	.colab/bin/python -m pip install -q -r tests/colab.txt
	.colab/bin/python -m pip install -q .
	NBPAINTER_SMOKE_TEST=1 .colab/bin/python -m pytest --nbval-lax -x \
	  --nbval-current-env --nbval-cell-timeout=300 notebooks

# The weights and figures of all brushes but the dry one: about 5 minutes each.
presets: .venv/.installed-test engine
	for brush in $(BRUSHES); do \
	  $(BIN)/nbpainter train brush $$brush --out models || exit 1; done

# The real brush: installed where that is allowed, else said what is skipped.
engine: .venv/.installed-test
	@$(BIN)/python -c 'from nbpainter.engine.brush import Brush; Brush()' 2>/dev/null \
	|| { [ -n "$(APT)" ] && $(SUDO) apt-get update -qq \
	     && $(SUDO) apt-get install -y -qq libmypaint-1.5-1; } \
	|| echo 'Without libmypaint, tests of the real brush are skipped. Get it' \
	        'with: sudo apt-get install libmypaint-1.5-1, or brew install libmypaint'

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --upgrade pip

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e '.[faces]'
	@touch $@

.venv/.installed-test: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e '.[test]'
	@touch $@ .venv/.installed

.venv/.installed-html: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e '.[html]'
	@touch $@ .venv/.installed

.venv/.installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e '.[dev]'
	@touch $@ .venv/.installed .venv/.installed-test

clean:
	rm -rf .venv .colab html painting trained
