#include "model/hub/file_selection.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <string_view>

#include "base/status.h"

namespace tandem::model::hub {
namespace {

using Files = std::vector<RepositoryFile>;

bool MatchesAny(const std::string& path, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    const std::string whole = pattern.ends_with("/") ? pattern + "*" : pattern;
    return fnmatch(whole.c_str(), path.c_str(), 0) == 0;
  });
}

bool IsAtTop(const RepositoryFile& file) { return file.path.find('/') == std::string::npos; }

bool IsConfiguration(const RepositoryFile& file) {
  const std::string& path = file.path;
  if (!IsAtTop(file)) return false;
  // An index lists the parts of weights; those in other formats are not fetched.
  if (path.ends_with(".index.json")) return path.ends_with(".safetensors.index.json");
  return path.ends_with(".json") || path.ends_with(".jinja") || path.ends_with(".model") ||
         path.ends_with(".tiktoken") || path == "merges.txt" || path == "vocab.txt";
}

/// Some publishers repeat the same weights in their own layout under this name.
bool IsConsolidated(const RepositoryFile& file) { return file.path.starts_with("consolidated"); }

/// A part for images, of no use without the language model.
bool IsProjector(const RepositoryFile& file) {
  return file.path.find("mmproj") != std::string::npos;
}

std::string ListFiles(const Files& files) {
  constexpr size_t kMost = 30;
  std::string text;
  for (size_t i = 0; i < files.size() && i < kMost; ++i) {
    text += fmt::format("\n  {}", files[i].path);
    if (files[i].size >= 0) text += fmt::format(" ({})", ByteText(files[i].size));
  }
  if (files.size() > kMost) text += fmt::format("\n  and {} more", files.size() - kMost);
  return text.empty() ? "\n  nothing" : text;
}

template <typename Predicate>
Files Filter(const Files& files, Predicate predicate) {
  Files kept;
  std::copy_if(files.begin(), files.end(), std::back_inserter(kept), predicate);
  return kept;
}

absl::StatusOr<Files> SelectWeights(const Files& files) {
  Files safetensors = Filter(files, [](const RepositoryFile& file) {
    return IsAtTop(file) && file.path.ends_with(".safetensors");
  });
  if (Files own = Filter(safetensors, [](const auto& file) { return !IsConsolidated(file); });
      !own.empty()) {
    return own;
  }
  if (!safetensors.empty()) return safetensors;
  Files gguf = Filter(files, [](const RepositoryFile& file) {
    return file.path.ends_with(".gguf") && !IsProjector(file);
  });
  if (gguf.size() > 1) {
    return absl::InvalidArgumentError(fmt::format(
        "there are several GGUF files; choose one with --include, of:{}", ListFiles(gguf)));
  }
  if (gguf.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("there are neither safetensors nor GGUF files, which are what can be served; "
                    "--include gets other files, of:{}",
                    ListFiles(files)));
  }
  return gguf;
}

absl::StatusOr<Files> SelectForServing(const Files& files) {
  ASSIGN_OR_RETURN(Files selected, SelectWeights(files));
  const Files configuration = Filter(files, IsConfiguration);
  selected.insert(selected.end(), configuration.begin(), configuration.end());
  return selected;
}

}  // namespace

absl::StatusOr<std::vector<RepositoryFile>> SelectFiles(const Repository& repository,
                                                        const FilePatterns& patterns) {
  const Files offered = Filter(repository.files, [&](const RepositoryFile& file) {
    return !MatchesAny(file.path, patterns.exclude);
  });
  Files selected;
  if (patterns.include.empty()) {
    ASSIGN_OR_RETURN(selected, SelectForServing(offered));
  } else {
    selected = Filter(offered, [&](const RepositoryFile& file) {
      return MatchesAny(file.path, patterns.include);
    });
  }
  if (selected.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("--include and --exclude leave nothing of:{}", ListFiles(repository.files)));
  }
  return selected;
}

std::string ByteText(int64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1000;
  std::string_view unit = "kB";
  for (const std::string_view larger : {"MB", "GB", "TB"}) {
    if (value < 999.95) break;
    value /= 1000;
    unit = larger;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

}  // namespace tandem::model::hub
