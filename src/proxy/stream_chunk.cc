#include "proxy/stream_chunk.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>

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

std::string ContinueChunk(const std::string& chunk, const std::string& first) {
  boost::json::error_code error, first_error;
  value continued = boost::json::parse(chunk, error);
  const value began = boost::json::parse(first, first_error);
  if (error || first_error || !continued.is_object() || !began.is_object()) return chunk;
  object& json = continued.get_object();
  if (!json.contains("choices")) return chunk;
  for (const char* name : {"id", "created"}) {
    if (const value* same = began.get_object().if_contains(name)) json[name] = *same;
  }
  bool tells = true;
  if (value& choices = json["choices"]; choices.is_array()) {
    for (value& choice : choices.get_array()) {
      if (choice.is_object()) tells = DropRole(choice.get_object()) && tells;
    }
  }
  return tells ? boost::json::serialize(continued) : "";
}

}  // namespace tandem::proxy
