#include "base/checksummed_copy.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace tandem {
namespace {

// A core's first-level cache holds the piece until its checksum is made.
constexpr size_t kPiece = 16 << 10;
// Shorter copies are often read soon, and cheaper through the caches.
constexpr size_t kStreamFrom = 256 << 10;

#ifdef __SSE2__
// Processors do not fetch beyond the page that is read, and what another core has just written is
// long on its way. Fetching past the end is harmless.
constexpr size_t kFetchAhead = 4096;

/// memcpy that writes past the caches.
void StreamingCopy(std::byte* to, const std::byte* from, size_t size) {
  constexpr size_t kLine = 64;
  const size_t lead = std::min(size, (kLine - reinterpret_cast<uintptr_t>(to) % kLine) % kLine);
  std::memcpy(to, from, lead);
  size_t i = lead;
  for (; i + kLine <= size; i += kLine) {
    const auto* source = reinterpret_cast<const __m128i*>(from + i);
    auto* target = reinterpret_cast<__m128i*>(to + i);
    _mm_prefetch(reinterpret_cast<const char*>(from + i + kFetchAhead), _MM_HINT_T0);
    const __m128i a = _mm_loadu_si128(source), b = _mm_loadu_si128(source + 1);
    const __m128i c = _mm_loadu_si128(source + 2), d = _mm_loadu_si128(source + 3);
    _mm_stream_si128(target, a);
    _mm_stream_si128(target + 1, b);
    _mm_stream_si128(target + 2, c);
    _mm_stream_si128(target + 3, d);
  }
  std::memcpy(to + i, from + i, size - i);
}
/// Has other threads see what was written before whatever is written next.
void FinishStreaming() { _mm_sfence(); }
#else
void StreamingCopy(std::byte* to, const std::byte* from, size_t size) {
  std::memcpy(to, from, size);
}
void FinishStreaming() {}
#endif

}  // namespace

void CopyWithChecksum(std::span<std::byte> to, std::span<const std::byte> from,
                      StreamingChecksum& checksum) {
  const bool streaming = from.size() >= kStreamFrom;
  for (size_t i = 0; i < from.size(); i += kPiece) {
    const std::span<const std::byte> piece = from.subspan(i, std::min(kPiece, from.size() - i));
    if (streaming) {
      StreamingCopy(to.data() + i, piece.data(), piece.size());
    } else {
      std::memcpy(to.data() + i, piece.data(), piece.size());
    }
    checksum.Update(piece);
  }
  if (streaming) FinishStreaming();
}

int CopyThreadCount() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostCopyThreads);
}

}  // namespace tandem
