#pragma once

#include <string>

#include "proxy/instance_pool.h"

namespace tandem::proxy {

/// A reply to a probe.
struct ProbeReply {
  int status = 0;
  std::string body;
};

/// What the replies of an instance say about it.
struct Recognition {
  InstanceMake make = InstanceMake::kUnknown;
  std::string cache_namespace;  ///< Of one of this program.
  std::string kv_role;          ///< Of one of this program; empty: it names none.
  std::string found;            ///< Of one that is unfit: what it answers instead.
};

/// Tells by GET /version and GET /v1/models what answers at an instance's address: one of this
/// program names its KV cache namespace, one of another make lists models (or wants a key first),
/// and anything else serves no completions. kUnknown if the replies are errors that may pass.
Recognition Recognize(const ProbeReply& version, const ProbeReply& models);

/// Whether a reply to GET /health can only come from something that is no instance: that answers
/// 200, or 503 while it stops, or what stands in front of it asks for a key or for patience.
bool LacksHealth(int status);

}  // namespace tandem::proxy
