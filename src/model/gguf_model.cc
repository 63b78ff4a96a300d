#include "model/gguf_model.h"

#include <fmt/format.h>

#include <utility>

#include "absl/status/status.h"
#include "base/status.h"
#include "model/gguf_config.h"
#include "model/gguf_reader.h"
#include "model/gguf_tensor_names.h"
#include "model/text_file.h"
#include "model/weights_fingerprint.h"

namespace tandem::model {

absl::StatusOr<std::unique_ptr<GgufModel>> GgufModel::Open(const std::string& path) {
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  auto model = FromBytes(file.bytes());
  if (!model.ok()) {
    return InFile(path, model.status());
  }
  (*model)->file_ = std::move(file);
  return model;
}

absl::StatusOr<std::unique_ptr<GgufModel>> GgufModel::FromBytes(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(GgufContents contents, ReadGguf(bytes));
  std::unique_ptr<GgufModel> model(new GgufModel);
  ASSIGN_OR_RETURN(model->config_, ReadGgufConfig(contents));
  for (const GgufTensor& tensor : contents.tensors) {
    ASSIGN_OR_RETURN(std::string name, HuggingFaceName(tensor.name, model->config_));
    model->weights_.emplace(std::move(name), tensor.view);
  }
  model->metadata_ = std::move(contents.metadata);
  return model;
}

absl::StatusOr<WeightView> GgufModel::Find(std::string_view name) const {
  const auto found = weights_.find(name);
  if (found == weights_.end()) {
    return absl::NotFoundError(fmt::format("the checkpoint has no tensor {}", name));
  }
  return found->second;
}

std::string GgufModel::Fingerprint() const {
  return WeightsFingerprint(config_, {weights_.begin(), weights_.end()});
}

}  // namespace tandem::model
