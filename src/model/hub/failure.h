#pragma once

#include <string>

#include "absl/status/status.h"
#include "model/hub/environment.h"
#include "model/hub/http_session.h"
#include "model/hub/model_reference.h"

namespace tandem::model::hub {

/// What was asked for, for messages.
struct Subject {
  std::string endpoint;
  bool has_token = false;
  ModelReference model;
};

/// Whether asking again may help: a broken connection, too many requests (429), or a server that is
/// in trouble (408, 5xx).
bool IsTransient(const HttpOutcome& outcome);

/// What went wrong in a few words: "the connection broke off (...)", "the hub answered 503".
std::string ShortReason(const HttpOutcome& outcome);

/// The error for an exchange that failed for good: names the model or `file`, tells what the hub or
/// the connection said, and what can be done about it.
absl::Status FailureStatus(const Subject& subject, const std::string& file,
                           const HttpOutcome& outcome);

}  // namespace tandem::model::hub
