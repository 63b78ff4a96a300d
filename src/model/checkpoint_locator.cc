#include "model/checkpoint_locator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/status.h"

namespace tandem::model {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> GgufFilesIn(const fs::path& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".gguf") files.push_back(entry->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool IsDirectory(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

/// NotFound if the directory has neither a GGUF file nor a config.json.
absl::StatusOr<std::string> LocateInDirectory(const std::string& directory) {
  const std::vector<std::string> files = GgufFilesIn(directory);
  if (files.size() == 1) return files[0];
  if (files.size() > 1) {
    return absl::InvalidArgumentError(fmt::format("{} has several GGUF files; name one of them: {}",
                                                  directory, fmt::join(files, ", ")));
  }
  std::error_code error;
  if (fs::exists(fs::path(directory) / "config.json", error)) return directory;
  return absl::NotFoundError(
      fmt::format("{} (a directory without a GGUF file or a config.json)", directory));
}

}  // namespace

absl::StatusOr<std::string> LocateCheckpoint(const std::string& name, const HubCache& cache) {
  std::error_code error;
  if (fs::is_regular_file(name, error)) return name;
  std::vector<std::string> looked;
  if (IsDirectory(name)) {
    auto found = LocateInDirectory(name);
    if (!absl::IsNotFound(found.status())) return found;
    looked.emplace_back(found.status().message());
  } else {
    looked.push_back(fmt::format("{} (no such file or directory)", name));
  }
  if (HubCache::IsModelName(name)) {
    const std::vector<std::string> snapshots = cache.Snapshots(name);
    for (const std::string& snapshot : snapshots) {
      auto found = LocateInDirectory(snapshot);
      if (!absl::IsNotFound(found.status())) return found;
      looked.emplace_back(found.status().message());
    }
    if (snapshots.empty()) {
      looked.push_back(fmt::format("{} (not in the hub's cache)", cache.ModelDirectory(name)));
    }
  }
  const bool may_be_at_the_hub = HubCache::IsModelName(name) && name.find('/') != std::string::npos;
  return absl::NotFoundError(fmt::format(
      "no model \"{}\": it takes a GGUF file, a checkpoint directory or a hub name; looked at: "
      "{}{}",
      name, fmt::join(looked, ", "),
      may_be_at_the_hub ? fmt::format("; to get it from the hub, run: tandem pull {}", name) : ""));
}

}  // namespace tandem::model
