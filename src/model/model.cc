#include "model/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "model/checkpoint_locator.h"
#include "model/generation_config.h"
#include "model/gguf_model.h"
#include "model/hf_model.h"
#include "model/hub_cache.h"
#include "model/text_file.h"
#include "model/tokenizer/gguf_tokenizer.h"

namespace tandem::model {
namespace {

constexpr std::string_view kChatTemplateKey = "tokenizer.chat_template";

/// The defaults of the generation_config.json beside the checkpoint, if there is one.
absl::StatusOr<GenerationDefaults> ReadGenerationDefaults(const std::string& checkpoint) {
  const std::string path =
      (std::filesystem::path(checkpoint).parent_path() / "generation_config.json").string();
  ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadTextFile(path));
  if (!text) return GenerationDefaults();
  auto defaults = ParseGenerationConfig(*text);
  if (!defaults.ok()) return InFile(path, defaults.status());
  return defaults;
}

/// Adds the tokens that end a text according to the GGUF file.
absl::Status AddEosTokenIds(const GgufMetadata& metadata, int vocab_size,
                            std::vector<int32_t>* ids) {
  for (const std::string_view key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    if (!metadata.Has(key)) continue;
    ASSIGN_OR_RETURN(const int64_t id, metadata.Integer(key));
    if (id < 0 || id >= vocab_size) {
      return absl::InvalidArgumentError(
          fmt::format("metadata key {} is {}; accepted: 0 to {}", key, id, vocab_size - 1));
    }
    const int32_t token = static_cast<int32_t>(id);
    if (std::find(ids->begin(), ids->end(), token) == ids->end()) ids->push_back(token);
  }
  return absl::OkStatus();
}

/// Null if the file has no chat template.
absl::StatusOr<std::unique_ptr<ChatTemplate>> ReadChatTemplate(const GgufMetadata& metadata) {
  if (!metadata.Has(kChatTemplateKey)) return nullptr;
  ASSIGN_OR_RETURN(const std::string_view source, metadata.String(kChatTemplateKey));
  auto chat_template = ChatTemplate::Parse(source);
  if (!chat_template.ok()) {
    return absl::InvalidArgumentError(fmt::format("metadata key {}: {}", kChatTemplateKey,
                                                  std::string(chat_template.status().message())));
  }
  return chat_template;
}

/// Fills what comes out of the metadata.
absl::Status ReadMetadata(const GgufMetadata& metadata, Model* model) {
  ASSIGN_OR_RETURN(model->tokenizer, ReadGgufTokenizer(metadata));
  if (model->tokenizer->vocab_size() > model->config.vocab_size) {
    return absl::InvalidArgumentError(
        fmt::format("metadata key tokenizer.ggml.tokens has {} elements; accepted: at most {}, the "
                    "rows of token_embd.weight",
                    model->tokenizer->vocab_size(), model->config.vocab_size));
  }
  ASSIGN_OR_RETURN(model->chat_template, ReadChatTemplate(metadata));
  return AddEosTokenIds(metadata, model->config.vocab_size, &model->generation.eos_token_ids);
}

}  // namespace

absl::StatusOr<Model> OpenModel(const std::string& name) {
  ASSIGN_OR_RETURN(const std::string path, LocateCheckpoint(name, HubCache::FromEnvironment()));
  if (std::filesystem::is_directory(path)) return OpenHfModel(path);
  ASSIGN_OR_RETURN(std::unique_ptr<GgufModel> gguf, GgufModel::Open(path));
  Model model;
  model.config = gguf->config();
  ASSIGN_OR_RETURN(model.generation, ReadGenerationDefaults(path));
  const absl::Status status = ReadMetadata(gguf->metadata(), &model);
  if (!status.ok()) return InFile(path, status);
  model.weights = std::move(gguf);
  return model;
}

}  // namespace tandem::model
