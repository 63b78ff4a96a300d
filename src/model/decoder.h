#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "compute/kv_pool.h"
#include "model/model_config.h"
#include "model/weight_source.h"

namespace tandem::model {

/// Which numeric path a token takes. It follows the kind of the token, never the number of rows, so
/// that a token's values are the same bits whenever it is computed again.
enum class TokenPath {
  kPrefill,  ///< Tokens of the prompt: matrix products in tiles of 64 rows.
  kDecode,   ///< Generated tokens, also when they are replayed: quantised kernels, row by row.
};

/// Which rows of a segment give logits.
enum class LogitRows { kNone, kLast, kAll };

/// Consecutive tokens of one sequence, computed in one step.
struct BatchSegment {
  std::span<const int32_t> tokens;
  int first_position = 0;  ///< Of tokens[0]; all earlier positions are in the KV cache.
  std::span<const int32_t> block_table;  ///< KV blocks of positions 0.., enough for all tokens.
  TokenPath path = TokenPath::kPrefill;
  LogitRows logits = LogitRows::kNone;
};

/// Rows of logits in the order of the segments that asked for them: float32 [rows, vocab_size].
/// Valid until the next Forward.
struct Logits {
  const float* data = nullptr;
  int rows = 0;
  int vocab_size = 0;
  std::span<const float> Row(int row) const {
    return {data + size_t(row) * vocab_size, size_t(vocab_size)};
  }
};

struct DecoderOptions {
  /// Up to this many bytes, prefill keeps a copy of the weights that its matrix products read;
  /// larger models unpack them each time, to the same bits.
  size_t prefill_copy_bytes = size_t{1} << 30;
};

/// A decoder-only transformer on some device. Not safe for use by several threads: one engine
/// thread drives it. A row's logits and KV do not depend on the other rows of the batch, on how its
/// prompt is cut, or on the number of threads.
class Decoder {
 public:
  /// Prepares the weights. The source must outlive the decoder. NotFound or InvalidArgument names
  /// the tensor that is missing or has the wrong shape. `threads` compute.
  static absl::StatusOr<std::unique_ptr<Decoder>> Load(const ModelConfig& config,
                                                       const WeightSource& weights, int threads,
                                                       const DecoderOptions& options = {});
  virtual ~Decoder() = default;

  /// Computes the segments: writes their K and V into `kv` and gives the logits asked for. A
  /// sequence appears in at most one segment. Token ids are in the vocabulary (the caller checks).
  virtual Logits Forward(std::span<const BatchSegment> batch, const compute::KvPool& kv) = 0;

  virtual const ModelConfig& config() const = 0;

  /// The threads it computes with, which between two calls of Forward are free for its driver.
  virtual ThreadPool& threads() = 0;
};

}  // namespace tandem::model
