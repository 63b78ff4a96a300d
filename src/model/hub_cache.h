#pragma once

#include <string>
#include <vector>

namespace tandem::model {

/// The Hugging Face hub's local cache: models--ORG--NAME/snapshots/REVISION below its directory.
class HubCache {
 public:
  explicit HubCache(std::string directory) : directory_(std::move(directory)) {}

  /// Where the environment says it is; see hub::CacheDirectory.
  static HubCache FromEnvironment();

  const std::string& directory() const { return directory_; }

  /// Whether `name` has the form of a hub name: "NAME" or "ORG/NAME".
  static bool IsModelName(const std::string& name);

  /// The directory of a model, whether it is there or not.
  std::string ModelDirectory(const std::string& name) const;

  /// The model's snapshots that are there: first the one that the branch main points to, then the
  /// others by name.
  std::vector<std::string> Snapshots(const std::string& name) const;

 private:
  std::string directory_;
};

}  // namespace tandem::model
