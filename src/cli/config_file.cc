#include "cli/config_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <system_error>

#include "absl/status/statusor.h"
#include "base/status.h"

namespace tandem::cli {
namespace {

constexpr size_t kMostBytes = 1 << 20;

absl::StatusOr<std::string> ReadText(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  if (file == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("cannot be read: {}", std::generic_category().message(errno)));
  }
  std::string text(kMostBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  // A directory opens, and fails only here.
  if (std::ferror(file.get()) != 0) {
    return absl::InvalidArgumentError(
        fmt::format("cannot be read: {}", std::generic_category().message(errno)));
  }
  if (text.size() > kMostBytes) {
    return absl::InvalidArgumentError("larger than 1 MiB, which no file of flags is");
  }
  return text;
}

}  // namespace

absl::Status SetFlagsFrom(std::string_view text, GflagsParser& parser) try {
  const YAML::Node document = YAML::Load(std::string(text));
  if (!document.IsMap()) {
    return absl::InvalidArgumentError("not a map from names of flags to values");
  }
  std::set<std::string> named;
  for (const auto& entry : document) {
    const std::string name = entry.first.as<std::string>();
    if (!named.insert(NormalizedFlag(name)).second) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' comes twice; each flag may come once, whether spelt with dashes or "
                      "underscores",
                      name));
    }
    if (parser.IsSet(name)) continue;
    if (!entry.second.IsScalar()) {
      return absl::InvalidArgumentError(fmt::format("the value of '{}' is not a single one", name));
    }
    RETURN_IF_ERROR(parser.Set(name, entry.second.Scalar()));
  }
  return absl::OkStatus();
} catch (const YAML::Exception& error) {
  return absl::InvalidArgumentError(error.what());
}

absl::Status ReadConfigFile(const std::string& path, GflagsParser& parser) {
  const absl::StatusOr<std::string> text = ReadText(path);
  const absl::Status status = text.ok() ? SetFlagsFrom(*text, parser) : text.status();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      fmt::format("--config_path={}: {}", path, std::string(status.message())));
}

}  // namespace tandem::cli
