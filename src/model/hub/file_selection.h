#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/hub/repository.h"

namespace tandem::model::hub {

/// Patterns of paths as fnmatch has them, where '*' also stands for '/'; "folder/" means all that
/// is below it.
struct FilePatterns {
  std::vector<std::string> include;  ///< Instead of what serving needs, if there are any.
  std::vector<std::string> exclude;  ///< Taken away from either.
};

/// The files of `repository` to get. Without patterns to include: what serving
/// needs, in one format. That is the configuration and the tokenizer, and the weights in
/// safetensors, or in the repository's only GGUF file. InvalidArgument if a choice is left (several
/// GGUF files) or nothing is selected; it lists what there is.
absl::StatusOr<std::vector<RepositoryFile>> SelectFiles(const Repository& repository,
                                                        const FilePatterns& patterns);

/// "512 B", "93.4 MB", "14.2 GB": decimal, as disks and networks are measured.
std::string ByteText(int64_t bytes);

}  // namespace tandem::model::hub
