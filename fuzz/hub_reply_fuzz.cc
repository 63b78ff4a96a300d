#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/hub/http_head.h"
#include "model/hub/model_reference.h"
#include "model/hub/repository.h"

/// No reply of a hub names a file outside its repository, or a blob outside the cache, and none
/// asks for a wait without end.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem::model::hub;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto repository = ParseRepository(text); repository.ok()) {
    if (!IsCommit(repository->commit)) std::abort();
    for (const RepositoryFile& file : repository->files) {
      if (!IsPathBelow(file.path) || file.size < -1) std::abort();
      if (!file.etag.empty() && !IsEtag(file.etag)) std::abort();
    }
  } else if (repository.status().message().empty()) {
    std::abort();
  }
  if (const auto model = ParseModelReference(text); model.ok()) {
    if (!IsPathBelow(model->name) || !IsPathBelow(model->revision)) std::abort();
  }
  if (const auto range = ParseContentRange(text)) {
    if (range->first < 0 || range->last < range->first || range->size < -1) std::abort();
  }
  HttpHead head;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    head.AddLine(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (head.status() < 0 || head.status() > 999) std::abort();
  if (const auto wait = AskedWait(head); wait && *wait < std::chrono::seconds(0)) std::abort();
  NormalizeEtag(text);
  return 0;
}
