#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/stream_chunk.h"

/// A chunk whose token ids were stripped has none, and nothing that a decoder sends breaks the
/// rewriting.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem::proxy;
  std::string chunk(reinterpret_cast<const char*>(data), size);
  std::vector<int32_t> ids;
  CollectTokenIds(chunk, ids);
  const std::string original = chunk;
  StripTokenIds(chunk);
  if (chunk.size() > original.size()) std::abort();
  IsEmptyChunk(chunk);
  HasFinishReason(chunk);
  ContinueChunk(chunk, original);
  ContinueChunk(chunk, R"({"id":"a","created":1})");
  ContinueChunk(original, R"({"id":"a"})", {.index = 1, .opened = false});
  ReadChoices(original);
  PromptTokensOfUsage(original);
  UsageChunk(original, 1, 2);
  return 0;
}
