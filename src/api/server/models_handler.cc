#include "api/schema/model_list.h"
#include "api/server/handlers.h"
#include "api/server/json_reply.h"

namespace tandem::api {
namespace {

ModelCard CardOf(const ServedModel& model, const std::string& name) {
  return {.id = name,
          .root = model.root,
          .created = model.created,
          .max_model_len = model.max_model_len};
}

}  // namespace

void HandleModels(ApiContext& context, std::shared_ptr<http::ResponseWriter> writer) {
  std::vector<ModelCard> cards;
  for (const std::string& name : context.model.names) cards.push_back(CardOf(context.model, name));
  writer->Respond(JsonReply(200, ModelList(cards)));
}

void HandleModel(ApiContext& context, const std::string& name,
                 std::shared_ptr<http::ResponseWriter> writer) {
  writer->Respond(JsonReply(200, CardOf(context.model, name).ToJson()));
}

}  // namespace tandem::api
