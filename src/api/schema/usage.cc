#include "api/schema/usage.h"

namespace tandem::api {

boost::json::object Usage::ToJson() const {
  return {{"prompt_tokens", prompt_tokens},
          {"total_tokens", prompt_tokens + completion_tokens},
          {"completion_tokens", completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", cached_tokens}}}};
}

}  // namespace tandem::api
