# The commands of the course. `make` alone lists them.
# PYTHON=python3.12 chooses the Python that .venv is made with. GPU=tensorflow and TORCH_INDEX=cpu choose what is in it:
# see scripts/environment.py.

# The first that runs, which a name on the PATH need not do. TensorFlow, and so some pages, lack 3.14: it comes last.
# `true`, because make takes nothing from a shell that ends with 127.
PYTHON ?= $(firstword $(shell for name in python3.11 python3.12 python3.13 python3 python3.14; do \
	$$name -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))" 2>/dev/null && echo $$name; done; true) python3)
ASKED := $(if $(filter command environment,$(firstword $(origin PYTHON))),--asked)
BIN := .venv/bin
# Everything below runs in .venv, and no test or page reads what lies in a user's own site-packages.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONNOUSERSITE := 1

.DEFAULT_GOAL := help
.PHONY: help environment pins system-packages book book-kernels pdf test lint exercises check-exercises serve lab wheel demo-course bench bench-gpu bench-naming bench-doctor bench-grading bench-kill bench-cluster coverage mutation stored publish clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{ printf "make %-16s %s\n", $$1, $$2 }'

environment:  ## .venv with everything in it, from environment.yml
	@command -v "$(PYTHON)" >/dev/null || { echo "environment: there is no $(PYTHON) here. Debian, Ubuntu: sudo apt-get install python3 python3-venv. Elsewhere:" \
		"uv python install 3.13, then make PYTHON=\"\$$(uv python find 3.13)\" book." >&2; exit 1; }
	@"$(PYTHON)" scripts/environment.py $(ASKED)

# One list for every Python and system: the oldest Python is Debian 12's. UPGRADE=--upgrade renews it.
pins: environment  ## add to constraints.txt what pyproject.toml names anew (UPGRADE=--upgrade: the newest of all)
	@cp constraints.txt .pins && uv pip compile --quiet $(UPGRADE) --universal --all-extras --python-version 3.11.2 --fork-strategy fewest \
		--no-emit-package inside-the-lstm --no-header --no-annotate --output-file .pins pyproject.toml
	@{ sed -n '/^#/p' constraints.txt; cat .pins; } > .pins.new && mv .pins.new constraints.txt && rm .pins

system-packages:  ## Debian packages that the tests need (asks for root only when one is missing)
	@scripts/system-packages

book: environment  ## the whole book, executed, into _build/html
	@python scripts/book.py

book-kernels: environment  ## every page as other processors would run it, page by setting (an hour)
	python scripts/book_kernels.py

pdf: system-packages book  ## the book as a PDF into _build/inside-the-lstm.pdf, the API into one of its own
	python scripts/book_pdf.py

lint: environment  ## style, types, and who may import whom
	ruff format --check .
	ruff check .
	mypy
	lint-imports

exercises: environment  ## student notebooks from solutions/
	autograder exercises

check-exercises: environment
	autograder exercises --check

# pytest comes last: the last line that is printed is its summary. It runs two files at a time (a file shares what its tests
# have made), each on one thread, so that the two do not wait for each other.
test: environment system-packages lint check-exercises book  ## every test, the browser's included
	python scripts/book_kernels.py --gate
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile

serve: book  ## the book at a local address
	python -m http.server --bind 127.0.0.1 --directory _build/html 8000

lab: environment  ## JupyterLab on the exercises
	jupyter lab exercises

wheel: environment  ## the package that students install, as one file in build/wheel (1 MB)
	uv build --quiet --wheel --out-dir build/wheel

demo-course: environment  ## a class of simulated students for each problem set, graded end to end
	@for set in $(notdir $(patsubst %/,%,$(dir $(wildcard solutions/*/students.py)))); do \
		autograder demo build/demo-course/$$set --problem-set $$set || exit 1; done

bench: environment  ## how fast lstm_ref is beside PyTorch, into benchmarks/results/
	python benchmarks/sequence.py

bench-gpu: environment  ## PyTorch and Keras on this machine's GPU, into benchmarks/results/gpu.json (at most ten minutes)
	python benchmarks/gpu.py

coverage: environment system-packages  ## which lines of lstm_ref its tests run; fails below 95 %
	pytest --cov=lstm_ref --cov-report=term-missing:skip-covered --cov-fail-under=95 lstm_ref $$(grep -rlE '^(from|import) lstm_ref' tests --include='test_*.py' --exclude-dir=browser)

bench-naming: environment  ## how often a mistake is named, and rightly, into benchmarks/results/ (five minutes)
	python benchmarks/naming.py

bench-doctor: environment  ## how often the doctor finds and names what is wrong in whole programs, into benchmarks/results/ (half an hour)
	OMP_NUM_THREADS=1 python -m benchmarks.doctor

bench-grading: environment  ## one class through plain nbgrader and through the autograder, into benchmarks/results/ (twenty minutes)
	python benchmarks/grading.py

bench-kill: environment  ## kill runs at random points and compare the gradebooks, into benchmarks/results/ (half an hour)
	python benchmarks/kill.py

bench-cluster: environment  ## 2,000 submissions on a cluster whose hosts are cut off and killed, into benchmarks/results/ (root; fifteen minutes)
	python benchmarks/cluster.py

mutation: environment  ## change cell.py and sequence.py bit by bit: do the tests notice? (half an hour)
	pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutation]'
	python benchmarks/mutation.py

stored: book  ## store what the pages that need TensorFlow gave, for Pythons that it has no build for
	python scripts/stored.py

publish: book  ## put _build/html on the gh-pages branch of origin
	ghp-import --no-jekyll --push --force --message "Publish the book" _build/html

clean:  ## remove what was built; .venv and the records of a course stay
	rm -rf _build build .jupyter_cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
