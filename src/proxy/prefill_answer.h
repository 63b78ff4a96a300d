#pragma once

#include <boost/json/object.hpp>

#include "http/message.h"

namespace tandem::proxy {

/// How the client wants its reply.
struct AnswerForm {
  bool chat = false;  ///< /v1/chat/completions; else /v1/completions.
  bool stream = false;
  bool include_usage = false;
  bool continuous_usage = false;
};

/// Turns a prefiller's whole reply, in which the request has already ended, into the client's:
/// without the hand-off's parameters, and as the events of a stream if it asked for one.
http::Response PrefillAnswer(boost::json::object reply, const AnswerForm& form);

}  // namespace tandem::proxy
