#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace tandem::api {

/// A model as GET /v1/models lists it.
struct ModelCard {
  std::string id;
  std::string root;     ///< What was loaded.
  int64_t created = 0;  ///< Seconds since 1970.
  int max_model_len = 0;

  boost::json::object ToJson() const;
};

boost::json::object ModelList(const std::vector<ModelCard>& cards);

}  // namespace tandem::api
