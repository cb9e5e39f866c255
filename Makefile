# Initium: make demo | test | check | bench | serve | prove | prove-gpu | mutants | format | generate
# Every target sets up what it needs: a virtual environment in .venv with what constraints.txt pins.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed
PROTOS := $(wildcard proto/initium/v1/*.proto)

# The contract as it was released last; `make released`, which is part of a release, writes it.
RELEASED := proto/released.binpb

.PHONY: help install demo test check bench serve prove prove-gpu mutants format generate released

help:
	@sed -n '1,2p' Makefile

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,test,dev]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/initium generate client/examples/resnet50.yaml -o out/demo --force
	$(BIN)/python client/examples/load_resnet50.py out/demo

# Two processes; a file's tests stay in one, since they share servers.
test: $(STAMP)
	$(BIN)/python -m pytest tests -n 2 --dist loadfile

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint proto
	$(BIN)/buf breaking proto --against $(RELEASED)
	$(MAKE) generate OUT=out/generated
	@for file in out/generated/initium/v1/*; do cmp "$$file" "client/initium/v1/$${file##*/}" || \
	    { echo "generated code is out of date: run make generate" >&2; exit 1; }; done

# `make bench` measures everything, `make bench law` (transport, jobs, plans) a part.
PARTS := law transport jobs plans
.PHONY: $(PARTS)
bench: $(STAMP)
	$(BIN)/python -m tests.bench $(filter $(PARTS),$(MAKECMDGOALS))
$(PARTS): bench
	@:

serve: $(STAMP)
	$(BIN)/initium serve

# Hours: long comparisons, all 2^32 words through every map and backend, statistics, dieharder. Goes on where it stopped.
prove: $(STAMP)
	$(BIN)/python -m pytest tests -m prove
	$(BIN)/python -m tests.prove
	$(BIN)/python -m tests.prove.coverage
	tests/prove/dieharder.sh

# Nine minutes on a machine with a GPU: the same bytes, and how fast; figures as Markdown in TO.
TO ?= out/prove/gpu.md
prove-gpu: $(STAMP)
	$(BIN)/python -m tests.prove.gpu $(TO)

# Two to three hours: plants bugs, one at a time, and has each part's own tests find them. ONLY="planning rpc": some parts.
mutants: $(STAMP)
	$(BIN)/python -m tests.mutants $(ONLY)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

released: $(STAMP)
	$(BIN)/buf build proto --exclude-source-info -o $(RELEASED)

OUT ?= client
generate: $(STAMP)
	mkdir -p $(OUT)
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=$(OUT) --pyi_out=$(OUT) $(PROTOS)
	$(BIN)/python -m grpc_tools.protoc -I proto --grpc_python_out=$(OUT) proto/initium/v1/service.proto
	$(BIN)/python -m tests.house.reference $(if $(filter-out client,$(OUT)),--check)
