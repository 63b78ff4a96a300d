#include "api/server/json_reply.h"

#include <boost/json/serialize.hpp>

#include "api/schema/error.h"

namespace tandem::api {

http::Response JsonReply(int status, const boost::json::object& json) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = boost::json::serialize(json)};
}

http::Response ErrorReply(const absl::Status& error) {
  return JsonReply(HttpStatus(error), ErrorBody(error));
}

}  // namespace tandem::api
