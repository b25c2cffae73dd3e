# PYTHON=python3.12 make setup   chooses the interpreter (3.10 to 3.13)
# make test ARGS="-k onset"      hands arguments to pytest; ARGS="-n 0" runs without parallel workers
# make setup ROS=jazzy          Jazzy from pip, with Python 3.12, beside the default Kilted; so for test and demo
PYTHON ?= $(if $(filter jazzy,$(ROS)),python3.12,python3)
export PYTHON ROS

.DEFAULT_GOAL := help
.PHONY: help setup venv lint test demo lock clean

# Only this machine may see the ROS 2 graph of tests and demo.
test demo: export ROS_AUTOMATIC_DISCOVERY_RANGE = LOCALHOST

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## build .venv/ and install/; fast when nothing changed
	@scripts/setup

venv: ## build .venv/ only, for use in a ROS workspace of your own
	@scripts/setup venv

lint: setup ## check style, format and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

test: setup ## run the tests
	@scripts/run python -m pytest -n auto --maxprocesses 4 --dist loadgroup --durations=10 $(ARGS)

demo: setup ## replay a real clip through the ROS 2 graph, results in out/
	@scripts/run python -m cs3_ros.demo $(ARGS)

lock: setup ## compile requirements/*.in to pinned, hashed *.txt; ARGS=--upgrade moves the pins
	@scripts/lock $(ARGS)

clean: ## remove everything that the other targets made
	rm -rf .venv .venv-* build build-* install install-* log out .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
