# The commands of the course. `make` alone lists them.
# PYTHON=python3.12 chooses the Python that .venv is made with.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3) python3)
BIN := .venv/bin
# Everything below runs in .venv, and no test or page reads what lies in a user's own site-packages.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONNOUSERSITE := 1

.DEFAULT_GOAL := help
.PHONY: help environment pins system-packages book pdf test lint exercises check-exercises serve lab demo-course bench bench-naming bench-grading bench-kill bench-cluster coverage mutation publish clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{ printf "make %-16s %s\n", $$1, $$2 }'

environment:  ## .venv with everything in it, from environment.yml
	@command -v $(PYTHON) >/dev/null || { echo "environment: no Python found; install Python 3.11 (Debian, Ubuntu: sudo apt-get install python3.11 python3.11-venv)." >&2; exit 1; }
	@$(PYTHON) scripts/environment.py

pins: environment  ## write constraints.txt anew from what is installed in .venv
	@{ sed -n '/^#/p' constraints.txt; pip freeze --exclude-editable | sed 's/+cpu$$//'; } > .pins && mv .pins constraints.txt

system-packages:  ## Debian packages that the tests need (asks for root only when one is missing)
	@scripts/system-packages

book: environment  ## the whole book, executed, into _build/html
	jupyter-book build . -n -W --keep-going
	@echo "Open _build/html/index.html"

pdf: system-packages book  ## the whole book as one PDF, into _build/inside-the-lstm.pdf
	python scripts/book_pdf.py

lint: environment  ## style and types
	ruff format --check .
	ruff check .
	mypy

exercises: environment  ## student notebooks from solutions/
	autograder exercises

check-exercises: environment
	autograder exercises --check

# pytest comes last: the last line that is printed is its summary. It runs two files at a time (a file shares what its tests
# have made), each on one thread, so that the two do not wait for each other.
test: environment system-packages lint check-exercises book  ## every test, the browser's included
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile

serve: book  ## the book at a local address
	python -m http.server --bind 127.0.0.1 --directory _build/html 8000

lab: environment  ## JupyterLab on the exercises
	jupyter lab exercises

demo-course: environment  ## a class of simulated students, graded end to end
	autograder demo

bench: environment  ## how fast lstm_ref is beside PyTorch, into benchmarks/results/
	python benchmarks/sequence.py

coverage: environment system-packages  ## which lines of lstm_ref its tests run; fails below 95 %
	pytest --cov=lstm_ref --cov-report=term-missing:skip-covered --cov-fail-under=95 lstm_ref $$(grep -rlE '^(from|import) lstm_ref' tests --include='test_*.py' --exclude-dir=browser)

bench-naming: environment  ## how often a mistake is named, and rightly, into benchmarks/results/ (five minutes)
	python benchmarks/naming.py

bench-grading: environment  ## one class through plain nbgrader and through the autograder, into benchmarks/results/ (twenty minutes)
	python benchmarks/grading.py

bench-kill: environment  ## kill runs at random points and compare the gradebooks, into benchmarks/results/ (half an hour)
	python benchmarks/kill.py

bench-cluster: environment  ## 2,000 submissions on a cluster whose hosts are cut off and killed, into benchmarks/results/ (root; fifteen minutes)
	python benchmarks/cluster.py

mutation: environment  ## change cell.py and sequence.py bit by bit: do the tests notice? (half an hour)
	pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutation]'
	python benchmarks/mutation.py

publish: book  ## put _build/html on the gh-pages branch of origin
	ghp-import --no-jekyll --push --force --message "Publish the book" _build/html

clean:  ## remove what was built; .venv and the records of a course stay
	rm -rf _build build .jupyter_cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
