#include "proxy/upstream_form.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "http/event_stream.h"
#include "proxy/prefill_decode_plan.h"

namespace tandem::proxy {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr int64_t kDefaultCompletionTokens = 16;           // OpenAI's.
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // Stands for a broken character.

/// Fields that mean something else, or nothing, to a decoder for which the first token is prompt.
constexpr std::string_view kUnfit[] = {"top_logprobs",
                                       "prompt_logprobs",
                                       "stop",
                                       "echo",
                                       "tools",
                                       "functions",
                                       "response_format",
                                       "guided_json",
                                       "guided_regex",
                                       "guided_choice",
                                       "guided_grammar",
                                       "structural_tag",
                                       "structured_outputs",
                                       "logits_processors",
                                       "use_beam_search",
                                       "seed",
                                       "bad_words",
                                       "presence_penalty",
                                       "frequency_penalty",
                                       "return_token_ids"};

/// Fields of a chat that a completion does not have.
constexpr std::string_view kOfChats[] = {"messages",
                                         "max_completion_tokens",
                                         "add_generation_prompt",
                                         "continue_final_message",
                                         "add_special_tokens",
                                         "chat_template",
                                         "chat_template_kwargs",
                                         "tool_choice",
                                         "parallel_tool_calls"};

/// Fields that say how a prompt becomes ids.
constexpr std::string_view kOfTokenizing[] = {"model",
                                              "prompt",
                                              "messages",
                                              "add_special_tokens",
                                              "chat_template",
                                              "add_generation_prompt",
                                              "continue_final_message",
                                              "chat_template_kwargs"};

/// A member that asks for something: there, and neither null, false, 0 nor empty.
bool IsSet(const object& json, std::string_view name) {
  const value* found = json.if_contains(name);
  if (found == nullptr || found->is_null()) return false;
  if (found->is_bool()) return found->get_bool();
  if (found->is_number()) return found->to_number<double>() != 0;
  if (found->is_string()) return !found->get_string().empty();
  if (found->is_array()) return !found->get_array().empty();
  return true;
}

/// Log-probabilities are asked for by a number of alternatives, which may be 0.
bool AsksForLogprobs(const object& json) {
  const value* found = json.if_contains("logprobs");
  return found != nullptr && !found->is_null() && *found != false;
}

/// A count or an id: what is not in 0..INT32_MAX is taken for nothing.
std::optional<int64_t> Count(const object& json, std::string_view name) {
  const value* found = json.if_contains(name);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  boost::json::error_code error;
  const auto number = found->to_number<int32_t>(error);
  return error || number < 0 ? std::nullopt : std::optional<int64_t>(number);
}

/// The ids of a JSON list of numbers; nothing for any other value.
std::optional<std::vector<int32_t>> Ids(const value* list) {
  if (list == nullptr || !list->is_array()) return std::nullopt;
  std::vector<int32_t> ids;
  for (const value& entry : list->get_array()) {
    boost::json::error_code error;
    if (!entry.is_number()) return std::nullopt;
    ids.push_back(entry.to_number<int32_t>(error));
    if (error) return std::nullopt;
  }
  return ids;
}

/// The text of a reply's only choice; nothing if it has none.
std::optional<std::string> TextOf(const object& reply, bool chat) {
  const value* choices = reply.if_contains("choices");
  if (choices == nullptr || !choices->is_array() || choices->get_array().size() != 1 ||
      !choices->get_array()[0].is_object()) {
    return std::nullopt;
  }
  const object* holder = &choices->get_array()[0].get_object();
  if (chat) {
    const value* message = holder->if_contains("message");
    if (message == nullptr || !message->is_object()) return std::nullopt;
    holder = &message->get_object();
  }
  const value* text = holder->if_contains(chat ? "content" : "text");
  if (text == nullptr || !text->is_string()) return std::nullopt;
  return std::string(text->get_string());
}

std::string TakeText(object& choice) {
  const value* text = choice.if_contains("text");
  std::string taken = text != nullptr && text->is_string() ? text->get_string().c_str() : "";
  choice.stable_erase("text");
  return taken;
}

/// A choice's text where a completion, a chat or a chat's stream has it.
void PutText(object& choice, const std::string& text, bool chat, bool streamed) {
  if (!chat) {
    choice["text"] = text;
  } else if (streamed) {
    choice["delta"] = object{{"content", text}};
  } else {
    choice["message"] = object{{"role", "assistant"}, {"content", text}};
  }
}

/// The first token is an output token to the client, where it was one of the prompt to the decoder.
void CorrectUsage(object& reply) {
  value* usage = reply.if_contains("usage");
  if (usage == nullptr || !usage->is_object()) return;
  object& counts = usage->get_object();
  const auto prompt = Count(counts, "prompt_tokens");
  if (prompt && *prompt > 0) counts["prompt_tokens"] = *prompt - 1;
  counts["completion_tokens"] = Count(counts, "completion_tokens").value_or(0) + 1;
}

}  // namespace

std::optional<UpstreamForm> UpstreamForm::Make(bool chat, const object& request,
                                               const object& reply) {
  const auto unfit = [&request](std::string_view name) { return IsSet(request, name); };
  if (AsksForLogprobs(request)) return std::nullopt;
  if (std::any_of(std::begin(kUnfit), std::end(kUnfit), unfit)) return std::nullopt;
  const std::optional<int64_t> first = Count(HandOffParams(reply), "first_tok");
  const std::optional<std::string> text = TextOf(reply, chat);
  if (!first || !text || text->empty() || text->find(kReplacement) != std::string::npos) {
    return std::nullopt;
  }
  UpstreamForm form;
  form.chat_ = chat;
  form.request_ = request;
  form.reply_ = reply;
  form.first_token_ = static_cast<int32_t>(*first);
  form.first_text_ = *text;
  form.prompt_ = Ids(request.if_contains("prompt")).value_or(std::vector<int32_t>());
  std::optional<int64_t> given = Count(request, "max_completion_tokens");
  if (!given) given = Count(request, "max_tokens");
  if (given && *given < 2) return std::nullopt;
  form.max_tokens_ = given.value_or(chat ? 0 : kDefaultCompletionTokens);
  if (const value* options = request.if_contains("stream_options");
      options && options->is_object()) {
    form.continuous_usage_ = IsSet(options->get_object(), "continuous_usage_stats");
  }
  return form;
}

std::string UpstreamForm::TokenizeBody() const {
  if (!prompt_.empty()) return "";
  object body;
  for (const std::string_view name : kOfTokenizing) {
    if (const value* found = request_.if_contains(name)) body[name] = *found;
  }
  return boost::json::serialize(body);
}

bool UpstreamForm::SetTokenized(std::string_view reply) {
  const std::optional<object> json = ParseObject(reply);
  if (!json) return false;
  const auto ids = Ids(json->if_contains("tokens"));
  if (!ids || ids->empty()) return false;
  // A chat without a limit goes on to the end of the context.
  if (max_tokens_ == 0) {
    const auto length = Count(*json, "max_model_len");
    if (!length || *length - static_cast<int64_t>(ids->size()) < 2) return false;
    max_tokens_ = *length - static_cast<int64_t>(ids->size());
  }
  prompt_ = *ids;
  return true;
}

std::string UpstreamForm::DecodeBody() const {
  object body = request_;
  for (const std::string_view name : kOfChats) body.erase(name);
  array prompt(prompt_.begin(), prompt_.end());
  prompt.emplace_back(first_token_);
  body["prompt"] = std::move(prompt);
  body["max_tokens"] = max_tokens_ - 1;
  if (const auto least = Count(request_, "min_tokens"); least && *least > 0) {
    body["min_tokens"] = *least - 1;
  }
  // One that knows them tells the ids, after which another decoder could go on.
  if (IsSet(body, "stream")) body["return_token_ids"] = true;
  return boost::json::serialize(body);
}

void UpstreamForm::SetHead(object& reply, bool streamed) const {
  for (const char* name : {"id", "created", "model"}) {
    if (const value* same = reply_.if_contains(name)) reply[name] = *same;
  }
  reply["object"] = !chat_     ? "text_completion"
                    : streamed ? "chat.completion.chunk"
                               : "chat.completion";
}

std::string UpstreamForm::OpeningEvents() const {
  std::string events;
  const auto append = [&](object choice) {
    choice["index"] = 0;
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = nullptr;
    object chunk;
    SetHead(chunk, true);
    chunk["choices"] = array{std::move(choice)};
    if (const value* usage = reply_.if_contains("usage"); usage && continuous_usage_) {
      chunk["usage"] = *usage;
    }
    events += http::FormatEvent(boost::json::serialize(chunk));
  };
  if (chat_) append({{"delta", {{"role", "assistant"}, {"content", ""}}}});
  object first;
  PutText(first, first_text_, chat_, true);
  first["token_ids"] = array{first_token_};
  append(std::move(first));
  return events;
}

std::string UpstreamForm::Event(std::string_view data) const {
  std::optional<object> chunk = ParseObject(data);
  if (!chunk || !chunk->contains("choices")) return std::string(data);
  SetHead(*chunk, true);
  CorrectUsage(*chunk);
  if (value& choices = (*chunk)["choices"]; choices.is_array()) {
    for (value& choice : choices.get_array()) {
      if (!choice.is_object()) continue;
      choice.get_object().stable_erase("prompt_token_ids");
      PutText(choice.get_object(), TakeText(choice.get_object()), chat_, true);
    }
  }
  return boost::json::serialize(*chunk);
}

std::string UpstreamForm::WholeReply(std::string_view body) const {
  std::optional<object> reply = ParseObject(body);
  if (!reply || !reply->contains("choices")) return std::string(body);
  SetHead(*reply, false);
  CorrectUsage(*reply);
  if (value& choices = (*reply)["choices"]; choices.is_array()) {
    for (value& choice : choices.get_array()) {
      if (!choice.is_object()) continue;
      object& fields = choice.get_object();
      for (const char* name : {"token_ids", "prompt_token_ids"}) fields.stable_erase(name);
      PutText(fields, first_text_ + TakeText(fields), chat_, false);
    }
  }
  return boost::json::serialize(*reply);
}

}  // namespace tandem::proxy
