#pragma once

#include <boost/json/object.hpp>

namespace tandem::api {

/// The token counts of a reply.
struct Usage {
  int prompt_tokens = 0;
  int completion_tokens = 0;
  int cached_tokens = 0;  ///< Prompt tokens whose KV was found, not computed.

  boost::json::object ToJson() const;
};

}  // namespace tandem::api
