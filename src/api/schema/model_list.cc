#include "api/schema/model_list.h"

#include <boost/json/array.hpp>

namespace tandem::api {

boost::json::object ModelCard::ToJson() const {
  return {{"id", id},
          {"object", "model"},
          {"created", created},
          {"owned_by", "tandem"},
          {"root", root},
          {"parent", nullptr},
          {"max_model_len", max_model_len}};
}

boost::json::object ModelList(const std::vector<ModelCard>& cards) {
  boost::json::array data;
  for (const ModelCard& card : cards) data.emplace_back(card.ToJson());
  return {{"object", "list"}, {"data", std::move(data)}};
}

}  // namespace tandem::api
