#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/mapped_file.h"
#include "model/model_config.h"
#include "model/string_hash.h"
#include "model/weight_source.h"

namespace tandem::model {

/// The weights of a checkpoint directory: model.safetensors, or the shards that
/// model.safetensors.index.json names.
class SafetensorsModel : public WeightSource {
 public:
  /// Maps the files. NotFound if one is missing; InvalidArgument, beginning with the path, says
  /// what is wrong in it. `config` becomes part of the fingerprint.
  static absl::StatusOr<std::unique_ptr<SafetensorsModel>> Open(const std::string& directory,
                                                                const ModelConfig& config);

  absl::StatusOr<WeightView> Find(std::string_view name) const override;
  std::string Fingerprint() const override;
  void DropPages() const override {
    for (const MappedFile& file : files_) file.DropPages();
  }

 private:
  SafetensorsModel() = default;

  absl::Status AddFile(const std::string& path, const std::vector<std::string>* wanted);

  std::vector<MappedFile> files_;
  ModelConfig config_;
  StringMap<std::string, WeightView> weights_;
  StringMap<std::string, std::string> unusable_;  ///< Names and why they cannot be computed with.
};

}  // namespace tandem::model
