#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/gguf_metadata.h"
#include "model/mapped_file.h"
#include "model/model_config.h"
#include "model/string_hash.h"
#include "model/weight_source.h"

namespace tandem::model {

/// A GGUF file as a model: its config, its metadata, and its tensors under Hugging Face's names.
class GgufModel : public WeightSource {
 public:
  /// Maps the file. NotFound if there is none; InvalidArgument, beginning with the path, says what
  /// is wrong in it.
  static absl::StatusOr<std::unique_ptr<GgufModel>> Open(const std::string& path);

  /// Out of memory, which must outlive the model.
  static absl::StatusOr<std::unique_ptr<GgufModel>> FromBytes(std::span<const std::byte> bytes);

  const ModelConfig& config() const { return config_; }
  const GgufMetadata& metadata() const { return metadata_; }

  absl::StatusOr<WeightView> Find(std::string_view name) const override;
  std::string Fingerprint() const override;
  void DropPages() const override { file_.DropPages(); }

 private:
  GgufModel() = default;

  MappedFile file_;
  GgufMetadata metadata_;
  ModelConfig config_;
  StringMap<std::string, WeightView> weights_;
};

}  // namespace tandem::model
