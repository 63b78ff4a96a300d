#pragma once

#include "base/bearer_token.h"
#include "http/response_writer.h"

namespace tandem::http {

/// Hands requests on to `handler` if they carry the token, as "Authorization: Bearer TOKEN", and
/// answers all others with 401; /health stays open, so that whoever only restarts what has died
/// needs no secret. With an empty token, `handler` itself.
Handler RequireToken(BearerToken token, Handler handler);

}  // namespace tandem::http
