#include "loadgen/token_stream.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace tandem::loadgen {
namespace {

int64_t CountOf(const boost::json::object& usage, std::string_view name) {
  const boost::json::value* count = usage.if_contains({name.data(), name.size()});
  return count != nullptr && count->is_int64() ? count->get_int64() : 0;
}

}  // namespace

void TokenStream::Feed(std::string_view bytes, TimePoint now) {
  const absl::Status status =
      parser_.Feed(bytes, [this, now](std::string_view data) { TakeEvent(data, now); });
  if (!status.ok() && error_.empty()) error_ = std::string(status.message());
}

void TokenStream::TakeEvent(std::string_view data, TimePoint now) {
  if (data == "[DONE]") {
    done_ = true;
    return;
  }
  boost::json::error_code failed;
  const boost::json::value event = boost::json::parse({data.data(), data.size()}, failed);
  const boost::json::object* object = failed ? nullptr : event.if_object();
  if (object == nullptr) {
    if (error_.empty())
      error_ = "an event is not a JSON object: " + std::string(data.substr(0, 80));
    return;
  }
  if (const boost::json::value* error = object->if_contains("error")) {
    if (error_.empty()) error_ = boost::json::serialize(*error);
    return;
  }
  if (const boost::json::value* usage = object->if_contains("usage");
      usage != nullptr && usage->is_object()) {
    prompt_tokens_ = CountOf(usage->get_object(), "prompt_tokens");
    completion_tokens_ = CountOf(usage->get_object(), "completion_tokens");
  }
  const boost::json::value* choices = object->if_contains("choices");
  if (choices == nullptr || !choices->is_array() || choices->get_array().empty()) return;
  const double seconds = Seconds(now - last_);
  if (started_) {
    gaps_.Add(seconds);
  } else {
    seconds_to_first_ = seconds;
  }
  started_ = true;
  last_ = now;
}

void TokenStream::End(const absl::Status& status) {
  if (!error_.empty()) return;
  if (!status.ok()) {
    error_ = status.ToString();
  } else if (!done_) {
    error_ = "the stream ended without [DONE]";
  } else if (!started_) {
    error_ = "the stream had no token";
  }
}

}  // namespace tandem::loadgen
