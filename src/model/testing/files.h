#pragma once

#include <optional>
#include <string>

namespace tandem::model::testing {

/// The whole file; nothing if it cannot be read.
std::optional<std::string> ReadFile(const std::string& path);

/// The demo model: what TANDEM_TEST_MODEL names, else the one that "make demo" downloads below
/// `source_dir`. Nothing if there is none, and its absence is a reason to skip a test: with
/// TANDEM_REQUIRE_TEST_SETUP, which "make test" sets, opening it has to fail the test instead.
std::optional<std::string> DemoModelPath(const std::string& source_dir);

}  // namespace tandem::model::testing
