#include "model/testing/files.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace tandem::model::testing {

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::optional<std::string> DemoModelPath(const std::string& source_dir) {
  const char* named = std::getenv("TANDEM_TEST_MODEL");
  const std::string path =
      named != nullptr ? named : source_dir + "/build/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  const bool may_be_absent = std::getenv("TANDEM_REQUIRE_TEST_SETUP") == nullptr;
  if (may_be_absent && access(path.c_str(), R_OK) != 0) return std::nullopt;
  return path;
}

}  // namespace tandem::model::testing
