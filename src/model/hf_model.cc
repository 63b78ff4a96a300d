#include "model/hf_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "model/generation_config.h"
#include "model/hf_config.h"
#include "model/safetensors_model.h"
#include "model/text_file.h"
#include "model/tokenizer_config.h"

namespace tandem::model {
namespace {

/// The files of one directory.
class Directory {
 public:
  explicit Directory(const std::string& path) : path_(path) {}

  std::string Path(std::string_view file) const {
    return (std::filesystem::path(path_) / file).string();
  }

  absl::StatusOr<std::optional<std::string>> Read(std::string_view file) const {
    return ReadTextFile(Path(file));
  }

  absl::StatusOr<std::string> MustRead(std::string_view file) const {
    ASSIGN_OR_RETURN(std::optional<std::string> text, Read(file));
    if (!text) return absl::NotFoundError(fmt::format("{} has no {}", path_, file));
    return *std::move(text);
  }

  absl::Status In(std::string_view file, const absl::Status& status) const {
    return InFile(Path(file), status);
  }

 private:
  const std::string path_;
};

absl::StatusOr<HfConfig> ReadConfig(const Directory& directory) {
  ASSIGN_OR_RETURN(const std::string text, directory.MustRead("config.json"));
  auto config = ParseHfConfig(text);
  if (!config.ok()) return directory.In("config.json", config.status());
  return config;
}

absl::StatusOr<GenerationDefaults> ReadGeneration(const Directory& directory) {
  constexpr std::string_view kFile = "generation_config.json";
  ASSIGN_OR_RETURN(const std::optional<std::string> text, directory.Read(kFile));
  if (!text) return GenerationDefaults();
  auto defaults = ParseGenerationConfig(*text);
  if (!defaults.ok()) return directory.In(kFile, defaults.status());
  return defaults;
}

absl::StatusOr<TokenizerConfig> ReadTokenizerConfig(const Directory& directory) {
  constexpr std::string_view kFile = "tokenizer_config.json";
  ASSIGN_OR_RETURN(const std::optional<std::string> text, directory.Read(kFile));
  if (!text) return TokenizerConfig();
  auto config = ParseTokenizerConfig(*text);
  if (!config.ok()) return directory.In(kFile, config.status());
  return config;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> ReadTokenizer(const Directory& directory,
                                                         const SpecialTokenNames& names,
                                                         int vocab_size) {
  ASSIGN_OR_RETURN(const std::string text, directory.MustRead("tokenizer.json"));
  auto tokenizer = Tokenizer::FromJson(text, names);
  if (!tokenizer.ok()) return directory.In("tokenizer.json", tokenizer.status());
  if ((*tokenizer)->vocab_size() > vocab_size) {
    return absl::InvalidArgumentError(
        fmt::format("{} has {} tokens; accepted: at most {}, config.json's vocab_size",
                    directory.Path("tokenizer.json"), (*tokenizer)->vocab_size(), vocab_size));
  }
  return tokenizer;
}

/// The template of chat_template.jinja, else the one of tokenizer_config.json. Null if there is
/// neither.
absl::StatusOr<std::unique_ptr<ChatTemplate>> ReadChatTemplate(const Directory& directory,
                                                               const TokenizerConfig& config) {
  constexpr std::string_view kFile = "chat_template.jinja";
  ASSIGN_OR_RETURN(std::optional<std::string> source, directory.Read(kFile));
  std::string where = directory.Path(kFile);
  if (!source) {
    source = config.chat_template;
    where = directory.Path("tokenizer_config.json") + ": chat_template";
  }
  if (!source) return nullptr;
  auto chat_template = ChatTemplate::Parse(*source);
  if (!chat_template.ok()) return InFile(where, chat_template.status());
  return chat_template;
}

/// The token that ends a text to the tokenizer does so whatever else is listed, as in vLLM.
void AddEosOf(const Tokenizer& tokenizer, std::vector<int32_t>* ids) {
  const int32_t eos = tokenizer.eos_token_id();
  if (eos >= 0 && std::find(ids->begin(), ids->end(), eos) == ids->end()) ids->push_back(eos);
}

}  // namespace

absl::StatusOr<Model> OpenHfModel(const std::string& path) {
  const Directory directory(path);
  ASSIGN_OR_RETURN(const HfConfig config, ReadConfig(directory));
  Model model;
  model.config = config.model;
  ASSIGN_OR_RETURN(model.generation, ReadGeneration(directory));
  if (model.generation.eos_token_ids.empty()) {
    model.generation.eos_token_ids = config.eos_token_ids;
  }
  ASSIGN_OR_RETURN(model.weights, SafetensorsModel::Open(path, config.model));
  ASSIGN_OR_RETURN(const TokenizerConfig tokenizer_config, ReadTokenizerConfig(directory));
  ASSIGN_OR_RETURN(model.tokenizer, ReadTokenizer(directory, tokenizer_config.special_tokens,
                                                  config.model.vocab_size));
  AddEosOf(*model.tokenizer, &model.generation.eos_token_ids);
  ASSIGN_OR_RETURN(model.chat_template, ReadChatTemplate(directory, tokenizer_config));
  return model;
}

}  // namespace tandem::model
