# The commands of livetape. Each sets up what it needs and is quick when nothing is missing.
.DEFAULT_GOAL := help
.PHONY: help setup kernel bridge web servers demo live test fuzz chaos chaos-bridge check format requirements clean bench-aggregates bench-backpressure bench-bridge bench-bridge-publish bench-growth bench-itch bench-kernel bench-latency bench-latency-ws bench-rebalance bench-recovery bench-sink bench-soak bench-stream
SETUP := PATH='$(PATH)' python3 scripts/setup.py
export PATH := $(CURDIR)/.venv/bin:$(PATH)
CXX_SOURCES = $(shell git ls-files 'bridge/*.[ch]pp' 'native/*.[ch]pp' 'agents/kernel/*.[ch]pp' 'bench/*.[ch]pp' 'tests/fuzz/*.[ch]pp')

help: ## List these commands
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z -]+):.*## (.*)/  make \1\t\2/' | expand -t 34

setup: ## Install and build all that is missing
	@$(SETUP)

kernel bridge web servers: ## Build one part and what it needs
	@$(SETUP) $@

demo: setup ## Run everything with simulated exchanges (SECONDS=90 stops by itself)
	@livetape demo $(if $(SECONDS),--seconds $(SECONDS))

live: setup ## Run everything with the real exchanges (SECONDS=90 stops by itself)
	@livetape live $(if $(SECONDS),--seconds $(SECONDS))

test: setup ## Run every test
	@scripts/test

chaos: setup ## Break everything at random for 30 minutes, and compare every bar (SECONDS=180, SEED=7)
	@python -m tests.chaos.storm $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

chaos-bridge: setup ## Exchanges that do wrong, a bridge that is killed, and every trade compared (SECONDS=3600, SEED=7; 60 s when not said)
	@python -m tests.chaos.exchanges $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

fuzz: setup ## Fuzz the kernel and the bridge (SECONDS=600 for each target; 60 when not said)
	@scripts/fuzz $(or $(SECONDS),60)

check: setup ## Lint, types, layers, format
	@scripts/check

format: setup ## Format Python, C++ and TypeScript
	ruff format .
	ruff check --fix-only --quiet .
	clang-format -i $(CXX_SOURCES)
	npm --prefix web run format

requirements: setup ## Pin requirements/*.in again, by hash
	python -m pip install --quiet uv
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header requirements/runtime.in -o requirements/runtime.txt
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header requirements/dev.in -o requirements/dev.txt
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header requirements/bench-peers.in -o requirements/bench-peers.txt

bench-stream: setup ## Trades to bars, beside Kafka Streams, Flink, Quix and Faust (TRADES=50000000); the last line is JSON
	@python -m bench.stream $(if $(TRADES),--trades $(TRADES))

bench-latency: setup ## A trade to its bar's update, beside two bare hops (SECONDS=15 a pace); the last line is JSON
	@python -m bench.latency $(if $(SECONDS),--seconds $(SECONDS))

bench-soak: setup ## The worker's memory over an hour of trades (SECONDS=3600); the last line is JSON
	@python -m bench.soak $(if $(SECONDS),--seconds $(SECONDS))

bench-growth: setup ## What 100,000 instruments and a second worker cost a trade; the last line is JSON
	@python -m bench.growth $(if $(TRADES),--trades $(TRADES))

bench-kernel: setup ## What a trade costs the fold kernel alone; the last line is JSON
	@python -m bench.kernel_fold

bench-aggregates: setup ## What a trade costs an aggregate written in Python; the last line is JSON
	@python -m bench.aggregate_fold

bench-bridge: setup ## A frame to its trade, to ZeroMQ and to Kafka, beside bare sends and librdkafka; the last line is JSON
	@python -m bench.bridge

bench-itch: setup ## What an ITCH message costs, and a packet on its way to ZeroMQ; the last line is JSON
	@python -m bench.itch

bench-bridge-publish: setup ## A trade from the bridge's socket to ZeroMQ and to Kafka; the last line is JSON
	@python -m bench.bridge_publish

bench-sink: setup ## Trades into Postgres; the last line is JSON
	@python -m bench.sql_sink

bench-backpressure: setup ## Memory of sink and fold while Postgres is away (SECONDS=600), against a bound; the last line is JSON
	@python -m bench.backpressure $(if $(SECONDS),--seconds $(SECONDS))

bench-latency-ws: setup ## A trade from the exchange to /ws, by both flows; the last line is JSON
	@python -m bench.latency_to_ws

bench-rebalance: setup ## How long partitions stand still when workers join and are killed, with standbys and without; the last line is JSON
	@python -m bench.rebalance

bench-recovery: setup ## A worker's state back from a million bars; the last line is JSON
	@python -m bench.recovery

clean: ## Remove all that was built, downloaded or stored, once its servers are stopped; no run or bridge may be on
	@for home in .livetape/demo .livetape; do \
	  test ! -x .venv/bin/livetape || env -i PATH="$$PATH" LIVETAPE_HOME=$$home .venv/bin/livetape down --clean || exit 1; \
	done
	rm -rf build .livetape .venv web/dist web/node_modules
