#include "proxy/prefill_answer.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "http/event_stream.h"

namespace tandem::proxy {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// A chunk with what all chunks of the reply share.
object Chunk(const object& reply, array choices) {
  object chunk = reply;
  chunk.stable_erase("usage");
  chunk["choices"] = std::move(choices);
  return chunk;
}

/// The chunk that opens a chat's stream with the role, and no text yet.
object RoleChoice(const object& choice) {
  object opening{{"index", 0},
                 {"delta", {{"role", "assistant"}, {"content", ""}}},
                 {"logprobs", nullptr},
                 {"finish_reason", nullptr}};
  if (const value* index = choice.if_contains("index")) opening["index"] = *index;
  if (choice.contains("stop_reason")) opening["stop_reason"] = nullptr;
  return opening;
}

/// A chat's choice with its message as the difference to the opening.
object DeltaChoice(const object& choice) {
  object delta;
  if (const value* message = choice.if_contains("message"); message && message->is_object()) {
    delta = message->get_object();
  }
  delta.stable_erase("role");
  object chunk;
  for (const auto& member : choice) {
    if (member.key() == "message") {
      chunk["delta"] = delta;
    } else {
      chunk[member.key()] = member.value();
    }
  }
  return chunk;
}

std::string Events(const object& reply, const AnswerForm& form) {
  const value usage = reply.contains("usage") ? reply.at("usage") : value();
  std::string events;
  const auto append = [&](array choices) {
    object chunk = Chunk(reply, std::move(choices));
    if (form.continuous_usage) chunk["usage"] = usage;
    events += http::FormatEvent(boost::json::serialize(chunk));
  };
  const value* choices = reply.if_contains("choices");
  const array none;
  for (const value& entry : choices && choices->is_array() ? choices->get_array() : none) {
    if (!entry.is_object()) continue;
    const object& choice = entry.get_object();
    if (form.chat) {
      append({RoleChoice(choice)});
      append({DeltaChoice(choice)});
    } else {
      append({choice});
    }
  }
  if (form.include_usage) {
    object chunk = Chunk(reply, {});
    chunk["usage"] = usage;
    events += http::FormatEvent(boost::json::serialize(chunk));
  }
  return events + http::FormatEvent("[DONE]");
}

}  // namespace

http::Response PrefillAnswer(object reply, const AnswerForm& form) {
  reply.stable_erase("kv_transfer_params");
  if (!form.stream) {
    return {.status = 200,
            .headers = {{"Content-Type", "application/json"}},
            .body = boost::json::serialize(reply)};
  }
  if (form.chat) reply["object"] = "chat.completion.chunk";
  return {.status = 200,
          .headers = {{"Content-Type", "text/event-stream; charset=utf-8"},
                      {"Cache-Control", "no-cache"}},
          .body = Events(reply, form)};
}

}  // namespace tandem::proxy
