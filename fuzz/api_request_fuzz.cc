#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/schema/chat_request.h"
#include "api/schema/completion_request.h"
#include "api/schema/error.h"
#include "api/schema/field_reader.h"
#include "api/schema/token_request.h"

// The bodies of every endpoint. Whatever is refused has a message that can be sent; what a
// hand-over says survives its own JSON.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem::api;
  const absl::StatusOr<boost::json::object> body =
      ParseObject({reinterpret_cast<const char*>(data), size});
  if (!body.ok()) {
    if (ErrorBody(body.status()).empty()) std::abort();
    return 0;
  }
  const absl::StatusOr<CompletionRequest> completion = CompletionRequest::FromJson(*body);
  if (!completion.ok() && completion.status().message().empty()) std::abort();
  if (completion.ok() && completion->generation.kv_transfer) {
    const boost::json::object json = completion->generation.kv_transfer->ToJson();
    if (KvTransferParams::FromJson(json)->ToJson() != json) std::abort();
  }
  const absl::StatusOr<ChatRequest> chat = ChatRequest::FromJson(*body);
  if (chat.ok() && chat->conversation.messages.empty()) std::abort();
  (void)TokenizeRequest::FromJson(*body);
  (void)DetokenizeRequest::FromJson(*body);
  return 0;
}
