#include "api/schema/logprobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tandem::api {
namespace {

/// JSON has no infinity; vLLM sends this in its place.
constexpr double kLeastLogprob = -9999.0;

double Finite(float logprob) {
  return std::isnan(logprob) ? kLeastLogprob : std::max<double>(logprob, kLeastLogprob);
}

boost::json::object ChatEntry(const TokenChoice& choice) {
  boost::json::array bytes;
  for (const char byte : choice.bytes) bytes.emplace_back(static_cast<unsigned char>(byte));
  return {{"token", choice.text}, {"logprob", Finite(choice.logprob)}, {"bytes", std::move(bytes)}};
}

boost::json::object PromptEntry(const TokenChoice& choice) {
  return {
      {"logprob", Finite(choice.logprob)}, {"rank", choice.rank}, {"decoded_token", choice.text}};
}

}  // namespace

int64_t CountCharacters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; });
}

boost::json::object CompletionLogprobs(const std::vector<PositionLogprobs>& positions,
                                       int64_t& text_offset) {
  boost::json::array tokens, token_logprobs, top_logprobs, text_offsets;
  for (const PositionLogprobs& position : positions) {
    tokens.emplace_back(position.token.text);
    text_offsets.emplace_back(text_offset);
    text_offset += CountCharacters(position.token.text);
    if (!position.has_logprob) {
      token_logprobs.emplace_back(nullptr);
      top_logprobs.emplace_back(nullptr);
      continue;
    }
    token_logprobs.emplace_back(Finite(position.token.logprob));
    boost::json::object top;
    for (const TokenChoice& choice : position.top) {
      top.emplace(choice.text, Finite(choice.logprob));
    }
    top.emplace(position.token.text, Finite(position.token.logprob));
    top_logprobs.emplace_back(std::move(top));
  }
  return {{"text_offset", std::move(text_offsets)},
          {"token_logprobs", std::move(token_logprobs)},
          {"tokens", std::move(tokens)},
          {"top_logprobs", std::move(top_logprobs)}};
}

boost::json::object ChatLogprobs(const std::vector<PositionLogprobs>& positions) {
  boost::json::array content;
  for (const PositionLogprobs& position : positions) {
    boost::json::object entry = ChatEntry(position.token);
    boost::json::array top;
    for (const TokenChoice& choice : position.top) top.emplace_back(ChatEntry(choice));
    entry["top_logprobs"] = std::move(top);
    content.emplace_back(std::move(entry));
  }
  return {{"content", std::move(content)}};
}

boost::json::array PromptLogprobs(const std::vector<PositionLogprobs>& positions) {
  boost::json::array list;
  for (const PositionLogprobs& position : positions) {
    if (!position.has_logprob) {
      list.emplace_back(nullptr);
      continue;
    }
    boost::json::object entry;
    entry.emplace(fmt::format("{}", position.token.id), PromptEntry(position.token));
    for (const TokenChoice& choice : position.top) {
      entry.emplace(fmt::format("{}", choice.id), PromptEntry(choice));
    }
    list.emplace_back(std::move(entry));
  }
  return list;
}

}  // namespace tandem::api
