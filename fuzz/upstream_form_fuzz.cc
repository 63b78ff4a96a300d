#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/prefill_decode_plan.h"
#include "proxy/stream_chunk.h"
#include "proxy/upstream_form.h"

/// Nothing that a client, a prefiller or a decoder of another make says breaks the upstream form.
/// The input is taken for each of them; what is made of the request is a request.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem::proxy;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const auto reply =
      *ParseObject(R"({"id":"a","choices":[{"text":"x","message":{"content":"x"}}],)"
                   R"("kv_transfer_params":{"first_tok":1}})");
  static const auto request = *ParseObject(R"({"prompt":"x","max_tokens":4})");
  Refusal(input);
  if (const auto json = ParseObject(input)) {
    UpstreamForm::Make(false, request, *json);
    UpstreamForm::Make(true, request, *json);
    for (const bool chat : {false, true}) {
      const auto form = UpstreamForm::Make(chat, *json, reply);
      if (!form) continue;
      form->TokenizeBody();
      form->OpeningEvents();
      if (!ParseObject(form->DecodeBody())) std::abort();
    }
  }
  auto form = *UpstreamForm::Make(false, request, reply);
  form.SetTokenized(input);
  form.Event(input);
  form.WholeReply(input);
  return 0;
}
