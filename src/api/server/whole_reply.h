#pragma once

#include <memory>
#include <vector>

#include "api/server/generation_plan.h"
#include "api/server/reply.h"
#include "api/server/reply_format.h"
#include "api/server/served_model.h"
#include "http/response_writer.h"

namespace tandem::api {

/// Collects the outputs and answers once. Of more choices than are to be returned it gives the most
/// likely ones, best first: those whose tokens' log-probabilities sum up to most.
class WholeReply : public Reply {
 public:
  WholeReply(const GenerationPlan& plan, const ReplyFormat& format, const ServedModel& model,
             std::shared_ptr<http::ResponseWriter> writer);

  void Add(int choice, const engine::EngineOutput& output) override;
  void End() override;
  void Fail(const absl::Status& error) override;

 private:
  /// In the order of the reply.
  std::vector<int> ReturnedChoices() const;

  const GenerationPlan& plan_;
  const ReplyFormat& format_;
  const ServedModel& model_;
  const std::shared_ptr<http::ResponseWriter> writer_;
  std::vector<engine::EngineOutput> collected_;  // By choice.
};

}  // namespace tandem::api
