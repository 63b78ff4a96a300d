#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::proxy {

/// The form in which a decoder of another make goes on after a prefill, that of LMCache's own
/// proxy: it gets prompt and first token as ids and is asked for one token less, and its reply, a
/// completion's, becomes the client's with the first token in front. Such a decoder knows the first
/// token as a part of the prompt only, so the form is for requests to which that makes no
/// difference.
class UpstreamForm {
 public:
  /// Nothing if the form cannot do justice to the request (log-probabilities, stop strings, tools,
  /// penalties of what was generated, ...) or to the prefiller's `reply`: without a first token, or
  /// with one that is a part of a character. `chat` tells /v1/chat/completions.
  static std::optional<UpstreamForm> Make(bool chat, const boost::json::object& request,
                                          const boost::json::object& reply);

  /// The body for POST /tokenize; empty if the prompt is known as ids.
  std::string TokenizeBody() const;
  /// Takes the reply to that; false if it is none, or leaves no room for a second token.
  bool SetTokenized(std::string_view reply);

  /// The body for POST /v1/completions at the decoder. The prompt must be known as ids.
  std::string DecodeBody() const;

  /// The events that begin the client's stream: the role of a chat, and the first token with its
  /// id.
  std::string OpeningEvents() const;
  /// The client's event for one of the decoder's. Errors and "[DONE]" stay as they are.
  std::string Event(std::string_view data) const;
  /// The body of the client's reply for that of the decoder's, neither streamed.
  std::string WholeReply(std::string_view body) const;

 private:
  UpstreamForm() = default;

  void SetHead(boost::json::object& reply, bool streamed) const;

  bool chat_ = false;
  bool continuous_usage_ = false;
  boost::json::object request_;
  boost::json::object reply_;  // The prefiller's.
  int32_t first_token_ = 0;
  std::string first_text_;
  std::vector<int32_t> prompt_;
  int64_t max_tokens_ = 0;  // The first token included.
};

}  // namespace tandem::proxy
