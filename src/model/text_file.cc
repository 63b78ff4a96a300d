#include "model/text_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <system_error>

namespace tandem::model {

absl::StatusOr<std::optional<std::string>> ReadTextFile(const std::string& path) {
  constexpr uintmax_t kMost = uintmax_t{256} << 20;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error)
    return absl::UnavailableError(fmt::format("cannot read {}: {}", path, error.message()));
  if (size > kMost) {
    return absl::InvalidArgumentError(
        fmt::format("{} has {} bytes; accepted: at most {}", path, size, kMost));
  }
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
    return absl::UnavailableError(fmt::format("cannot read {}", path));
  }
  return text;
}

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::string(status.message())));
}

}  // namespace tandem::model
