#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/chat_template/chat_template.h"

/// A chat template, rendered with a short conversation.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto chat_template = tandem::model::ChatTemplate::Parse(
      std::string_view(reinterpret_cast<const char*>(data), size));
  if (!chat_template.ok()) return 0;
  const boost::json::object variables = {
      {"messages",
       {{{"role", "user"}, {"content", "Hé 1 2"}}, {{"role", "assistant"}, {"content", "b"}}}},
      {"tools", {{{"name", "f"}, {"parameters", {{"x", 1}, {"y", 1.5}, {"z", nullptr}}}}}},
      {"add_generation_prompt", true},
      {"bos_token", "<s>"}};
  (void)(*chat_template)->Render(variables, {});
  return 0;
}
