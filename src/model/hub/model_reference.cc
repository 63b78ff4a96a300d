#include "model/hub/model_reference.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "model/hub_cache.h"

namespace tandem::model::hub {

absl::StatusOr<ModelReference> ParseModelReference(std::string_view text) {
  ModelReference reference;
  const size_t at = text.find('@');
  reference.name = std::string(text.substr(0, at));
  if (!HubCache::IsModelName(reference.name)) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is no model of the hub; accepted: ORG/NAME or ORG/NAME@REVISION, of "
                    "letters, digits, "
                    "'-', '_' and '.'",
                    text));
  }
  if (at == std::string_view::npos) return reference;
  reference.revision = std::string(text.substr(at + 1));
  const bool has_odd_character =
      std::any_of(reference.revision.begin(), reference.revision.end(), [](unsigned char c) {
        return !absl::ascii_isalnum(c) &&
               std::string_view("-_./+").find(c) == std::string_view::npos;
      });
  if (has_odd_character || !IsPathBelow(reference.revision) || reference.revision.size() > 200) {
    return absl::InvalidArgumentError(
        fmt::format("the revision \"{}\" of {} is not one; accepted: a branch, a tag or a commit",
                    reference.revision, reference.name));
  }
  return reference;
}

bool IsPathBelow(std::string_view path) {
  const bool has_odd_character = std::any_of(path.begin(), path.end(), [](unsigned char c) {
    return absl::ascii_iscntrl(c) || c == '\\';
  });
  if (has_odd_character) return false;
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace tandem::model::hub
