#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/schema/usage.h"
#include "api/server/choice_renderer.h"
#include "api/server/generation_plan.h"
#include "api/server/handoff.h"
#include "api/server/reply.h"
#include "api/server/served_model.h"
#include "http/response_writer.h"

namespace tandem::api {

/// Sends chunks as server-sent events. The head of the reply leaves with the first output, so that
/// an error before it still has its own HTTP status; a later one is an event in the stream.
///
/// A chunk that has nothing to show is left out, unless the client wants token ids: it then gets
/// each step's, which is how a proxy knows where a broken stream is to be resumed. A resumed stream
/// has no chunk with the role.
class StreamWriter : public Reply {
 public:
  StreamWriter(const GenerationPlan& plan, const ReplyFormat& format, const ServedModel& model,
               std::shared_ptr<http::ResponseWriter> writer);

  void Add(int choice, const engine::EngineOutput& output) override;
  void End() override;
  void Fail(const absl::Status& error) override;

 private:
  void StartIfNeeded();
  void AppendOpening(int choice, const std::optional<Usage>& usage, std::string& events);

  const GenerationPlan& plan_;
  const ReplyFormat& format_;
  const std::shared_ptr<http::ResponseWriter> writer_;
  std::vector<ChoiceRenderer> renderers_;
  std::vector<Usage> usage_;  // By choice.
  std::optional<HandOver> hand_over_;
  bool started_ = false;
};

}  // namespace tandem::api
