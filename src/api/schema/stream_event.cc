#include "api/schema/stream_event.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

namespace tandem::api {

std::string StreamEvent(const boost::json::object& json) {
  return fmt::format("data: {}\n\n", boost::json::serialize(json));
}

}  // namespace tandem::api
