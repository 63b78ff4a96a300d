#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/server/api_context.h"
#include "api/server/generation_plan.h"
#include "api/server/reply.h"
#include "api/server/reply_format.h"
#include "api/server/request_log.h"
#include "base/mutex.h"
#include "http/response_writer.h"

namespace tandem::api {

/// One HTTP request in the engine: submits its choices, gives their outputs to the reply, and
/// aborts them all when one fails or the client goes away. It lives as long as the engine calls it
/// back.
class Generation : public std::enable_shared_from_this<Generation> {
 public:
  /// Submits the plan; the reply leaves through `writer`. `path` is for the log.
  static void Start(ApiContext& context, GenerationPlan plan, const ReplyFormat& format,
                    const std::string& path, std::shared_ptr<http::ResponseWriter> writer);

  /// Use Start.
  Generation(ApiContext& context, GenerationPlan plan, const ReplyFormat& format,
             std::shared_ptr<http::ResponseWriter> writer);

 private:
  void Submit();
  void SubmitChoices();
  engine::EngineRequest EngineRequestFor(int choice) const;
  void OnOutput(int choice, const engine::EngineOutput& output);
  void Show(int choice, const engine::EngineOutput& output) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Ends the request unless it has ended; the reply is told of an error, the client's going away
  /// (Cancelled) is not.
  void EndWith(const absl::Status& error);
  /// A choice is out of the engine, or all are submitted. The last of these logs the end: the
  /// engine tells what it has done for a choice when that ends, aborts included.
  void Leave() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ApiContext& context_;
  const GenerationPlan plan_;
  const std::vector<std::string> engine_ids_;  // By choice.

  Mutex mutex_;
  const std::unique_ptr<Reply> reply_ ABSL_PT_GUARDED_BY(mutex_);
  RequestLog log_ ABSL_GUARDED_BY(mutex_);
  int unfinished_ ABSL_GUARDED_BY(mutex_);
  int pending_ ABSL_GUARDED_BY(mutex_) = 1;  // Choices in the engine, and Submit.
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::string how_ ABSL_GUARDED_BY(mutex_);  // It ended.
};

}  // namespace tandem::api
