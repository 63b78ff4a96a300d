#include "model/gguf_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/hash.h"
#include "base/status.h"
#include "model/gguf_config.h"
#include "model/gguf_reader.h"
#include "model/gguf_tensor_names.h"

namespace tandem::model {
namespace {

constexpr size_t kSamples = 16;
constexpr size_t kSampleBytes = 256;

void AppendSamples(std::span<const std::byte> bytes, std::string* out) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() <= kSamples * kSampleBytes) {
    out->append(text);
    return;
  }
  for (size_t i = 0; i < kSamples; ++i) {
    const size_t start = (text.size() - kSampleBytes) / (kSamples - 1) * i;
    out->append(text.substr(start, kSampleBytes));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<GgufModel>> GgufModel::Open(const std::string& path) {
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  auto model = FromBytes(file.bytes());
  if (!model.ok()) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::string(model.status().message())));
  }
  (*model)->file_ = std::move(file);
  return model;
}

absl::StatusOr<std::unique_ptr<GgufModel>> GgufModel::FromBytes(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(GgufContents contents, ReadGguf(bytes));
  std::unique_ptr<GgufModel> model(new GgufModel);
  ASSIGN_OR_RETURN(model->config_, ReadGgufConfig(contents));
  for (const GgufTensor& tensor : contents.tensors) {
    ASSIGN_OR_RETURN(std::string name, HuggingFaceName(tensor.name));
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
  std::vector<std::pair<std::string_view, WeightView>> weights(weights_.begin(), weights_.end());
  std::sort(weights.begin(), weights.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string identity = fmt::format(
      "{} {} {} {} {} {} {} {} {} {}\n", config_.architecture, config_.hidden_size, config_.layers,
      config_.heads, config_.kv_heads, config_.head_dim, config_.intermediate_size,
      config_.vocab_size, config_.rms_norm_epsilon, config_.rope_theta);
  for (const auto& [name, view] : weights) {
    identity +=
        fmt::format("{} {} {} {}\n", name, static_cast<int>(view.type), view.rows, view.columns);
    AppendSamples(view.bytes, &identity);
  }
  return ToHex(Sha256(identity));
}

}  // namespace tandem::model
