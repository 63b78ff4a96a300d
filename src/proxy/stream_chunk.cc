#include "proxy/stream_chunk.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <optional>

#include "proxy/prefill_decode_plan.h"

namespace tandem::proxy {
namespace {

using boost::json::object;
using boost::json::value;

constexpr std::string_view kTokenIds = "\"token_ids\":[";
constexpr std::string_view kPromptTokenIds = "\"prompt_token_ids\":[";

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Removes each member that begins with `name`, whose value is a list of numbers, and one comma.
void RemoveLists(std::string& chunk, std::string_view name) {
  size_t begin = 0;
  while ((begin = chunk.find(name, begin)) != std::string::npos) {
    size_t end = chunk.find(']', begin);
    if (end == std::string::npos) return;
    ++end;
    if (begin > 0 && chunk[begin - 1] == ',') {
      --begin;
    } else if (end < chunk.size() && chunk[end] == ',') {
      ++end;
    }
    chunk.erase(begin, end - begin);
  }
}

/// Takes the role out of a choice's delta; false if nothing else was in the choice.
bool DropRole(object& choice) {
  value* delta = choice.if_contains("delta");
  if (delta == nullptr || !delta->is_object() || !delta->get_object().contains("role")) return true;
  delta->get_object().erase("role");
  const value* content = delta->get_object().if_contains("content");
  const value* reason = choice.if_contains("finish_reason");
  const bool has_text =
      content != nullptr && content->is_string() && !content->get_string().empty();
  return has_text || (reason != nullptr && !reason->is_null());
}

}  // namespace

void CollectTokenIds(std::string_view chunk, std::vector<int32_t>& ids) {
  size_t begin = 0;
  while ((begin = chunk.find(kTokenIds, begin)) != std::string_view::npos) {
    begin += kTokenIds.size();
    const size_t end = std::min(chunk.find(']', begin), chunk.size());
    const char* const last = chunk.data() + end;
    for (const char* next = chunk.data() + begin; next < last;) {
      int32_t id = 0;
      const auto [after, error] = std::from_chars(next, last, id);
      if (error == std::errc()) ids.push_back(id);
      next = error == std::errc() ? after : next + 1;
    }
  }
}

void StripTokenIds(std::string& chunk) {
  RemoveLists(chunk, kTokenIds);
  RemoveLists(chunk, kPromptTokenIds);
}

bool IsEmptyChunk(std::string_view chunk) {
  const bool no_text =
      Contains(chunk, "\"text\":\"\"") || Contains(chunk, "\"delta\":{\"content\":\"\"}");
  return no_text && Contains(chunk, "\"finish_reason\":null") &&
         !(Contains(chunk, "\"logprobs\":{"));
}

bool HasText(std::string_view chunk) {
  const bool opens = Contains(chunk, "\"role\":\"");
  return Contains(chunk, "\"finish_reason\":") && !opens && !IsEmptyChunk(chunk);
}

bool HasFinishReason(std::string_view chunk) { return Contains(chunk, "\"finish_reason\":\""); }

std::string Refusal(std::string_view event) {
  if (!event.starts_with("{\"error\"")) return "";
  boost::json::error_code failed;
  const value parsed =
      boost::json::parse(boost::json::string_view(event.data(), event.size()), failed);
  if (failed || !parsed.is_object()) return "";
  const value* error = parsed.get_object().if_contains("error");
  if (error == nullptr || !error->is_object()) return "";
  const value* code = error->get_object().if_contains("code");
  if (code == nullptr || *code != 503) return "";
  const value* message = error->get_object().if_contains("message");
  const bool has_text =
      message != nullptr && message->is_string() && !message->get_string().empty();
  return has_text ? std::string(message->get_string()) : "it is stopping";
}

std::string ContinueChunk(const std::string& chunk, const std::string& first,
                          const ChoicePlace& place) {
  std::optional<object> continued = ParseObject(chunk);
  const std::optional<object> began = ParseObject(first);
  if (!continued || !began) return chunk;
  object& json = *continued;
  if (!json.contains("choices")) return chunk;
  for (const char* name : {"id", "created"}) {
    if (const value* same = began->if_contains(name)) json[name] = *same;
  }
  bool tells = true;
  if (value& choices = json["choices"]; choices.is_array()) {
    for (value& choice : choices.get_array()) {
      if (!choice.is_object()) continue;
      if (place.index > 0) choice.get_object()["index"] = place.index;
      if (place.opened) tells = DropRole(choice.get_object()) && tells;
    }
  }
  return tells ? boost::json::serialize(*continued) : "";
}

std::vector<ChoiceNews> ReadChoices(std::string_view chunk) {
  std::vector<ChoiceNews> all;
  const std::optional<object> json = ParseObject(chunk);
  const value* choices = json ? json->if_contains("choices") : nullptr;
  if (choices == nullptr || !choices->is_array()) return all;
  for (const value& entry : choices->get_array()) {
    if (!entry.is_object()) continue;
    const object& choice = entry.get_object();
    ChoiceNews& news = all.emplace_back();
    boost::json::error_code error;
    if (const value* index = choice.if_contains("index"); index && index->is_number()) {
      news.choice = index->to_number<int>(error);
    }
    const value* prompt = choice.if_contains("prompt_token_ids");
    if (prompt == nullptr) prompt = json->if_contains("prompt_token_ids");
    if (prompt != nullptr && prompt->is_array()) {
      news.prompt_tokens = static_cast<int>(prompt->get_array().size());
    }
    const std::string text = boost::json::serialize(choice);
    CollectTokenIds(text, news.ids);
    news.has_text = HasText(text);
    news.finished = HasFinishReason(text);
  }
  return all;
}

std::optional<int> PromptTokensOfUsage(std::string_view chunk) {
  const std::optional<object> json = ParseObject(chunk);
  const value* choices = json ? json->if_contains("choices") : nullptr;
  const value* usage = json ? json->if_contains("usage") : nullptr;
  if (choices == nullptr || usage == nullptr || !usage->is_object()) return std::nullopt;
  if (!choices->is_array() || !choices->get_array().empty()) return std::nullopt;
  const value* tokens = usage->get_object().if_contains("prompt_tokens");
  if (tokens == nullptr || !tokens->is_number()) return std::nullopt;
  boost::json::error_code error;
  const int count = tokens->to_number<int>(error);
  return error ? std::nullopt : std::optional(count);
}

std::string UsageChunk(const std::string& first, int prompt_tokens, int completion_tokens) {
  object chunk = ParseObject(first).value_or(object());
  chunk["choices"] = boost::json::array();
  chunk["usage"] = {{"prompt_tokens", prompt_tokens},
                    {"completion_tokens", completion_tokens},
                    {"total_tokens", prompt_tokens + completion_tokens}};
  return boost::json::serialize(chunk);
}

}  // namespace tandem::proxy
