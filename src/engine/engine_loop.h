#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "cache/connector.h"
#include "engine/engine_options.h"
#include "engine/request.h"
#include "model/decoder.h"
#include "model/tokenizer.h"

namespace tandem::engine {

/// Runs requests through a model by continuous batching on one thread of its own: schedule, run,
/// postprocess. Its methods are safe for use by several threads.
class EngineLoop {
 public:
  /// `decoder`, `tokenizer`, `connector` (may be null) and `metrics` outlive it.
  static std::unique_ptr<EngineLoop> Start(const EngineOptions& options, model::Decoder& decoder,
                                           const compute::KvPool& kv,
                                           const model::Tokenizer& tokenizer,
                                           cache::Connector* connector, MetricRegistry& metrics,
                                           const Clock& clock);
  virtual ~EngineLoop() = default;

  /// Queues a request, whose id must be new. InvalidArgument, naming the field, if it can never run
  /// (prompt longer than the context, token outside the vocabulary). Unavailable while draining.
  virtual absl::Status Submit(EngineRequest request, OutputCallback callback) = 0;

  /// Drops a request and frees its blocks at the next step (those of a transfer when it ends); its
  /// callback gets kAbort. Unknown ids are ignored.
  virtual void Abort(const std::string& id) = 0;

  /// Something the loop waits for has happened (a lookup or a ticket is done).
  virtual void Wake() = 0;

  /// Takes no more requests and waits until those in flight are done or `deadline`; returns whether
  /// all were. The rest are aborted.
  virtual bool Drain(TimePoint deadline) = 0;

  /// Requests waiting and running.
  virtual int load() const = 0;
};

}  // namespace tandem::engine
