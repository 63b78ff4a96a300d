#include "model/safetensors_model.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/status.h"
#include "model/safetensors_reader.h"
#include "model/text_file.h"
#include "model/weights_fingerprint.h"

namespace tandem::model {
namespace {

constexpr std::string_view kOneFile = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";

std::string In(const std::string& directory, std::string_view file) {
  return (std::filesystem::path(directory) / file).string();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SafetensorsModel>> SafetensorsModel::Open(
    const std::string& directory, const ModelConfig& config) {
  std::unique_ptr<SafetensorsModel> model(new SafetensorsModel);
  model->config_ = config;
  const std::string index_path = In(directory, kIndex);
  ASSIGN_OR_RETURN(const std::optional<std::string> index, ReadTextFile(index_path));
  if (!index) {
    RETURN_IF_ERROR(model->AddFile(In(directory, kOneFile), nullptr));
    return model;
  }
  auto file_of_tensor = ReadSafetensorsIndex(*index);
  if (!file_of_tensor.ok()) return InFile(index_path, file_of_tensor.status());
  std::map<std::string, std::vector<std::string>> tensors_of_file;
  for (const auto& [tensor, file] : *file_of_tensor) tensors_of_file[file].push_back(tensor);
  for (const auto& [file, tensors] : tensors_of_file) {
    RETURN_IF_ERROR(model->AddFile(In(directory, file), &tensors));
  }
  return model;
}

absl::Status SafetensorsModel::AddFile(const std::string& path,
                                       const std::vector<std::string>* wanted) {
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  auto tensors = ReadSafetensors(file.bytes());
  if (!tensors.ok()) return InFile(path, tensors.status());
  files_.push_back(std::move(file));
  for (const SafetensorsTensor& tensor : *tensors) {
    const auto view = tensor.View();
    if (view.ok()) {
      weights_.insert_or_assign(tensor.name, *view);
    } else {
      unusable_.insert_or_assign(tensor.name,
                                 fmt::format("{}: {}", path, std::string(view.status().message())));
    }
  }
  if (wanted == nullptr) return absl::OkStatus();
  for (const std::string& name : *wanted) {
    if (weights_.contains(name) || unusable_.contains(name)) continue;
    return absl::InvalidArgumentError(
        fmt::format("{} has no tensor {}, which {} says it holds", path, name, kIndex));
  }
  return absl::OkStatus();
}

absl::StatusOr<WeightView> SafetensorsModel::Find(std::string_view name) const {
  const auto found = weights_.find(name);
  if (found != weights_.end()) return found->second;
  const auto unusable = unusable_.find(name);
  if (unusable != unusable_.end()) return absl::InvalidArgumentError(unusable->second);
  return absl::NotFoundError(fmt::format("the checkpoint has no tensor {}", name));
}

std::string SafetensorsModel::Fingerprint() const {
  return WeightsFingerprint(config_, {weights_.begin(), weights_.end()});
}

}  // namespace tandem::model
