#include "model/hub_cache.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "model/hub/environment.h"

namespace tandem::model {
namespace {

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
}

bool IsNamePart(const std::string& part) {
  return !part.empty() && part != "." && part != ".." &&
         std::all_of(part.begin(), part.end(), IsNameCharacter);
}

}  // namespace

HubCache HubCache::FromEnvironment() { return HubCache(hub::CacheDirectory()); }

bool HubCache::IsModelName(const std::string& name) {
  const size_t slash = name.find('/');
  if (slash == std::string::npos) return IsNamePart(name);
  return IsNamePart(name.substr(0, slash)) && IsNamePart(name.substr(slash + 1));
}

std::string HubCache::ModelDirectory(const std::string& name) const {
  std::string folder = "models--" + name;
  if (const size_t slash = folder.find('/'); slash != std::string::npos) {
    folder.replace(slash, 1, "--");
  }
  return directory_ + "/" + folder;
}

std::vector<std::string> HubCache::Snapshots(const std::string& name) const {
  const std::filesystem::path model = ModelDirectory(name);
  std::string main_revision;
  std::ifstream(model / "refs" / "main") >> main_revision;
  std::vector<std::string> snapshots;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(model / "snapshots", error), end; entry != end;
       entry.increment(error)) {
    if (error) break;
    if (entry->is_directory(error)) snapshots.push_back(entry->path().string());
  }
  std::sort(snapshots.begin(), snapshots.end());
  const auto main = std::find_if(snapshots.begin(), snapshots.end(), [&](const std::string& path) {
    return std::filesystem::path(path).filename() == main_revision;
  });
  if (main != snapshots.end()) std::rotate(snapshots.begin(), main, main + 1);
  return snapshots;
}

}  // namespace tandem::model
