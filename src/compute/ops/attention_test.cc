#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include "compute/float_conversion.h"
#include "compute/ops/decode_attention.h"
#include "compute/ops/kv_write.h"
#include "compute/ops/matrix_kernel.h"
#include "compute/ops/prefill_attention.h"
#include "compute/testing/random_weights.h"

namespace tandem::compute {
namespace {

using testing::RandomFloats;

constexpr int kTokens = 600;  // Three partitions.

float LoadElement(DataType type, const std::byte* element) {
  if (type == DataType::kFloat32) {
    float value;
    std::memcpy(&value, element, sizeof(value));
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, element, sizeof(bits));
  return type == DataType::kFloat16 ? Float16ToFloat(bits) : BFloat16ToFloat(bits);
}

/// Both paths against attention in float64 over the rounded cache.
class AttentionTest : public ::testing::TestWithParam<std::tuple<AttentionShape, DataType>> {
 protected:
  AttentionTest()
      : shape_(std::get<0>(GetParam())),
        row_size_(int64_t{shape_.heads} * shape_.head_dim),
        pool_(MakePool()),
        table_(pool_.num_blocks()),
        queries_(RandomFloats(kTokens * row_size_, 2.0f, 1)) {
    std::iota(table_.rbegin(), table_.rend(), 0);
    const int64_t kv_size = int64_t{shape_.kv_heads} * shape_.head_dim;
    for (const KvPart part : {KvPart::kKey, KvPart::kValue}) {
      const std::vector<float> values =
          RandomFloats(kTokens * kv_size, 2.0f, 2 + static_cast<int>(part));
      for (int token = 0; token < kTokens; ++token) {
        WriteKv(dtype(), &values[token * kv_size], kv_size, View().Find(part, token, 0));
      }
    }
  }

  DataType dtype() const { return std::get<1>(GetParam()); }
  KvView View() const { return {&pool_, 0, table_}; }

  std::vector<float> Expected(int token, int head) const {
    const KvView kv = View();
    const int kv_head = head / shape_.group();
    const float* query = &queries_[token * row_size_ + head * shape_.head_dim];
    const auto element = [&](KvPart part, int key, int i) {
      return double{LoadElement(dtype(), kv.Find(part, key, kv_head) + i * SizeOf(dtype()))};
    };
    std::vector<double> weights(token + 1);
    for (int key = 0; key <= token; ++key) {
      for (int i = 0; i < shape_.head_dim; ++i) {
        weights[key] += query[i] * element(KvPart::kKey, key, i);
      }
      weights[key] /= std::sqrt(static_cast<double>(shape_.head_dim));
    }
    const double largest = *std::max_element(weights.begin(), weights.end());
    double sum = 0;
    for (double& weight : weights) sum += weight = std::exp(weight - largest);
    std::vector<float> output(shape_.head_dim);
    for (int i = 0; i < shape_.head_dim; ++i) {
      double value = 0;
      for (int key = 0; key <= token; ++key)
        value += weights[key] * element(KvPart::kValue, key, i);
      output[i] = static_cast<float>(value / sum);
    }
    return output;
  }

  /// Tokens [first, first + count) in tiles of at most `tile_tokens`.
  std::vector<float> Prefill(PrefillAttentionKernel attend, int first, int count,
                             int tile_tokens) const {
    const bool is_float = attend == FindFloatPrefillAttention();
    const MatrixType type = is_float ? MatrixType::kFloat32 : MatrixType::kBFloat16;
    std::vector<std::byte> queries(count * row_size_ * SizeOf(type)), outputs(queries.size());
    StoreMatrixInput(type, &queries_[first * row_size_], count * row_size_, queries.data());
    PrefillAttentionScratch scratch;
    for (int done = 0; done < count; done += tile_tokens) {
      for (int kv_head = 0; kv_head < shape_.kv_heads; ++kv_head) {
        const int64_t head = int64_t{kv_head} * shape_.group() * shape_.head_dim;
        const size_t at = (done * row_size_ + head) * SizeOf(type);
        attend(shape_, View(),
               {&queries[at], &outputs[at], row_size_, row_size_,
                std::min(tile_tokens, count - done), first + done, kv_head},
               scratch);
      }
    }
    std::vector<float> floats(count * row_size_);
    for (size_t i = 0; i < floats.size(); ++i) {
      floats[i] = LoadElement(is_float ? DataType::kFloat32 : DataType::kBFloat16,
                              &outputs[i * SizeOf(type)]);
    }
    return floats;
  }

  std::vector<float> Decode(int token) const {
    std::vector<float> output(row_size_);
    const int64_t partitions = KeyPartitions(token);
    for (int kv_head = 0; kv_head < shape_.kv_heads; ++kv_head) {
      const int64_t head = int64_t{kv_head} * shape_.group() * shape_.head_dim;
      std::vector<float> partials(partitions * DecodePartialSize(shape_));
      for (int64_t p = 0; p < partitions; ++p) {
        DecodeAttention(shape_, View(), token, {kv_head, 1}, p, &queries_[token * row_size_ + head],
                        &partials[p * DecodePartialSize(shape_)]);
      }
      CombineDecodeAttention(shape_, partitions, partials.data(), DecodePartialSize(shape_),
                             &output[head]);
    }
    return output;
  }

  /// The prefill kernels that this processor runs.
  static std::vector<PrefillAttentionKernel> PrefillKernels() {
    std::vector<PrefillAttentionKernel> kernels = {FindFloatPrefillAttention()};
    const CpuTarget target = SelectCpuTarget().value();
    if (target >= CpuTarget::kAvx512Bf16) kernels.push_back(FindBf16PrefillAttention());
    if (target >= CpuTarget::kAmx && FindAmxMatrixKernel() != nullptr) {
      kernels.push_back(FindAmxPrefillAttention());
    }
    return kernels;
  }

  void ExpectNear(const float* row, int token, double tolerance) const {
    for (int head = 0; head < shape_.heads; ++head) {
      const std::vector<float> expected = Expected(token, head);
      for (int i = 0; i < shape_.head_dim; ++i) {
        ASSERT_NEAR(row[head * shape_.head_dim + i], expected[i], tolerance)
            << "token " << token << " head " << head << " element " << i;
      }
    }
  }

 private:
  KvPool MakePool() const {
    KvLayout layout;
    layout.layers = 1;
    layout.kv_heads = shape_.kv_heads;
    layout.head_dim = shape_.head_dim;
    layout.dtype = dtype();
    return KvPool::Create(layout, (kTokens + layout.block_tokens - 1) / layout.block_tokens)
        .value();
  }

 protected:
  const AttentionShape shape_;
  const int64_t row_size_;
  const KvPool pool_;
  std::vector<int32_t> table_;
  const std::vector<float> queries_;
};

TEST_P(AttentionTest, PrefillIsCausalSoftmax) {
  for (const PrefillAttentionKernel attend : PrefillKernels()) {
    // Scores of up to 10 from factors rounded to bfloat16 are off by some hundredths.
    const double tolerance = attend == FindFloatPrefillAttention() ? 2e-5 : 0.04;
    const std::vector<float> outputs = Prefill(attend, 0, kTokens, 50);
    for (const int token : {0, 1, 17, 255, 256, 511, 599}) {
      ExpectNear(&outputs[token * row_size_], token, tolerance);
    }
  }
}

TEST_P(AttentionTest, DecodeIsCausalSoftmax) {
  for (const int token : {0, 1, 17, 255, 256, 511, 599}) {
    ExpectNear(Decode(token).data(), token, 2e-5);
  }
}

TEST_P(AttentionTest, DecodeHasTheSameBitsWhateverHeadsAreAskedForWithIt) {
  const int64_t kv_head_size = DecodePartialSize(shape_);
  for (const int token : {17, 300}) {
    for (int64_t p = 0; p < KeyPartitions(token); ++p) {
      const float* queries = &queries_[token * row_size_];
      std::vector<float> together(shape_.kv_heads * kv_head_size), alone(together.size());
      DecodeAttention(shape_, View(), token, {0, shape_.kv_heads}, p, queries, together.data(),
                      table_);
      for (int kv_head = 0; kv_head < shape_.kv_heads; ++kv_head) {
        DecodeAttention(shape_, View(), token, {kv_head, 1}, p,
                        queries + int64_t{kv_head} * shape_.group() * shape_.head_dim,
                        &alone[kv_head * kv_head_size]);
      }
      ASSERT_EQ(std::memcmp(together.data(), alone.data(), alone.size() * sizeof(float)), 0)
          << "token " << token << " partition " << p;
    }
  }
}

TEST_P(AttentionTest, PrefillHasTheSameBitsHoweverItIsCut) {
  for (const PrefillAttentionKernel attend : PrefillKernels()) {
    const std::vector<float> whole = Prefill(attend, 0, kTokens, 32);
    for (const auto& [first, count, tile] :
         {std::tuple{0, 1, 32}, {1, 300, 7}, {250, 13, 32}, {301, 299, 50}, {599, 1, 1}}) {
      const std::vector<float> cut = Prefill(attend, first, count, tile);
      ASSERT_EQ(std::memcmp(cut.data(), &whole[first * row_size_], cut.size() * sizeof(float)), 0)
          << "tokens from " << first << " in tiles of " << tile;
    }
  }
}

std::string NameOf(const ::testing::TestParamInfo<AttentionTest::ParamType>& info) {
  const AttentionShape& shape = std::get<0>(info.param);
  return "Heads" + std::to_string(shape.heads) + "Kv" + std::to_string(shape.kv_heads) + "Dim" +
         std::to_string(shape.head_dim) + std::string(KeyName(std::get<1>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, AttentionTest,
    ::testing::Combine(::testing::Values(AttentionShape{9, 3, 64}, AttentionShape{7, 1, 128},
                                         AttentionShape{2, 2, 16}, AttentionShape{8, 2, 80}),
                       ::testing::Values(DataType::kFloat16, DataType::kBFloat16,
                                         DataType::kFloat32)),
    NameOf);

}  // namespace
}  // namespace tandem::compute
