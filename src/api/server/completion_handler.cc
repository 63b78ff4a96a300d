#include "api/schema/completion_request.h"
#include "api/schema/field_reader.h"
#include "api/server/generation.h"
#include "api/server/generation_planner.h"
#include "api/server/handlers.h"
#include "api/server/json_reply.h"
#include "base/status.h"

namespace tandem::api {
namespace {

absl::StatusOr<GenerationPlan> Plan(const ApiContext& context, const std::string& body,
                                    const std::string& request_id) {
  ASSIGN_OR_RETURN(const boost::json::object json, ParseObject(body));
  ASSIGN_OR_RETURN(const CompletionRequest request, CompletionRequest::FromJson(json));
  return PlanCompletion(context, request, request_id);
}

}  // namespace

void HandleCompletion(ApiContext& context, const http::Request& request,
                      const std::string& request_id, std::shared_ptr<http::ResponseWriter> writer) {
  absl::StatusOr<GenerationPlan> plan = Plan(context, request.body, request_id);
  if (!plan.ok()) return writer->Respond(ErrorReply(plan.status()));
  Generation::Start(context, *std::move(plan), CompletionFormat(), request.path, std::move(writer));
}

}  // namespace tandem::api
