#pragma once

#include <memory>
#include <string>

#include "api/server/api_context.h"
#include "http/message.h"
#include "http/response_writer.h"

namespace tandem::api {

/// The endpoints. Each answers through the writer, now or when the engine is done; `request_id`
/// goes into replies and log lines. Safe for use by several threads.

void HandleCompletion(ApiContext& context, const http::Request& request,
                      const std::string& request_id, std::shared_ptr<http::ResponseWriter> writer);
void HandleChat(ApiContext& context, const http::Request& request, const std::string& request_id,
                std::shared_ptr<http::ResponseWriter> writer);
void HandleTokenize(ApiContext& context, const http::Request& request,
                    std::shared_ptr<http::ResponseWriter> writer);
void HandleDetokenize(ApiContext& context, const http::Request& request,
                      std::shared_ptr<http::ResponseWriter> writer);
void HandleModels(ApiContext& context, std::shared_ptr<http::ResponseWriter> writer);
/// One model, by one of its names.
void HandleModel(ApiContext& context, const std::string& name,
                 std::shared_ptr<http::ResponseWriter> writer);

}  // namespace tandem::api
