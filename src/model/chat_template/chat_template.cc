#include "model/chat_template/chat_template.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/status.h"
#include "model/chat_template/json_value.h"
#include "model/chat_template/renderer.h"
#include "model/chat_template/template_parser.h"

namespace tandem::model {
namespace {

class JinjaChatTemplate : public ChatTemplate {
 public:
  explicit JinjaChatTemplate(jinja::Block block) : block_(std::move(block)) {}

  absl::StatusOr<std::string> Render(const boost::json::object& variables,
                                     std::chrono::system_clock::time_point now) const override {
    jinja::Renderer renderer(now);
    for (const auto& member : variables) {
      const std::string_view name(member.key().data(), member.key().size());
      absl::StatusOr<jinja::Value> value = jinja::FromJson(member.value());
      if (!value.ok()) {
        return absl::InvalidArgumentError(
            fmt::format("{}: {}", name, std::string(value.status().message())));
      }
      renderer.variables().Set(name, *std::move(value));
    }
    return renderer.Run(block_);
  }

 private:
  const jinja::Block block_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ChatTemplate>> ChatTemplate::Parse(std::string_view source) {
  ASSIGN_OR_RETURN(jinja::Block block, jinja::ParseTemplate(source));
  return std::make_unique<JinjaChatTemplate>(std::move(block));
}

}  // namespace tandem::model
