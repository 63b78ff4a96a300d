#include "api/server/served_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace tandem::api {

absl::Status ServedModel::CheckName(const std::string& name) const {
  if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) {
    return absl::OkStatus();
  }
  return absl::NotFoundError(fmt::format("The model `{}` does not exist; model must be one of: {}",
                                         name, fmt::join(names, ", ")));
}

}  // namespace tandem::api
