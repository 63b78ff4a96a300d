# The whole set-up: `make demo` installs, builds, fetches the demo model and shows a prompt served by
# prefill and decode on separate instances; `make test` installs what tests need, builds and tests.

BUILD := build
JOBS := $(shell nproc)
MODEL := $(BUILD)/models/SmolLM2-135M-Instruct.Q4_1.gguf
VENV := $(BUILD)/venv

.PHONY: demo test build install-packages install-test-packages model install asan tsan fuzz tidy format clean

demo: build model
	python3 scripts/demo.py --tandem $(BUILD)/bin/tandem --model $(MODEL)

# The packages come first: which Python runs the scenarios is settled when the build is configured.
test: install-test-packages $(VENV)/ready build model
	cmake --build --preset release -j $(JOBS)
	TANDEM_REQUIRE_TEST_SETUP=1 ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) \
	  --output-log $(CURDIR)/$(BUILD)/ctest.log; \
	status=$$?; scripts/list_skipped_tests.py $(BUILD); \
	grep -E 'tests passed|^Total Test time' $(BUILD)/ctest.log; exit $$status

build: install-packages
	cmake --preset release
	cmake --build --preset release -j $(JOBS) --target tandem mooncake_store

install-packages:
	scripts/install_packages.sh build

install-test-packages:
	scripts/install_packages.sh test

model: $(MODEL)

$(MODEL):
	scripts/get_demo_model.sh $(BUILD)/models

$(VENV)/ready: tests/requirements.txt | install-test-packages
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -r tests/requirements.txt
	touch $@

install: build
	cmake --install $(BUILD)

asan tsan:
	cmake --preset $@
	cmake --build --preset $@ -j $(JOBS)
	ctest --test-dir $(BUILD)-$@ --output-on-failure -j $(JOBS)

fuzz:
	scripts/run_fuzzers.sh

tidy:
	cmake --preset tidy
	cmake --build --preset tidy -j $(JOBS)

format:
	clang-format -i $$(git ls-files '*.cc' '*.h')

clean:
	cmake --build --preset release --target clean
