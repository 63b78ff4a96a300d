#include "model/testing/tiny_model.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <vector>

#include "model/testing/gguf_writer.h"
#include "model/testing/tiny_vocabulary.h"

namespace tandem::model::testing {
namespace {

constexpr const char* kChatTemplate =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ "
    "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' "
    "}}"
    "{% endif %}";

/// splitmix64: the same numbers everywhere, unlike the distributions of <random>.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  /// Uniform in [-1, 1).
  float Uniform() { return static_cast<float>(Next() >> 40) * 0x1p-23f - 1.0f; }

 private:
  uint64_t state_;
};

/// Half precision, truncated; for magnitudes in its normal range.
uint16_t Half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const int exponent = static_cast<int>((bits >> 23) & 0xff) - 127 + 15;
  if (exponent <= 0) return static_cast<uint16_t>(sign);
  return static_cast<uint16_t>(sign | (exponent << 10) | ((bits >> 13) & 0x3ff));
}

template <typename T>
void Append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// A block of 256 random elements, of about [-scale, scale].
void AppendSuperBlock(WeightType type, float scale, Random& random, std::string& out) {
  const auto append_bytes = [&](int count, uint8_t mask) {
    for (int i = 0; i < count; ++i) out.push_back(static_cast<char>(random.Next() >> 56 & mask));
  };
  if (type == WeightType::kQ6_K) {
    append_bytes(128 + 64, 255);
    append_bytes(16, 31);
    Append(out, Half(scale / (32 * 31)));
    return;
  }
  const int largest = type == WeightType::kQ4_K ? 15 : 31;
  Append(out, Half(2 * scale / (63.0f * static_cast<float>(largest))));
  Append(out, Half(scale / 63));
  append_bytes(12, 255);
  append_bytes(type == WeightType::kQ4_K ? 128 : 32 + 128, 255);
}

/// A block of 32 random elements in [-scale, scale], or one of 256.
void AppendBlock(WeightType type, float scale, Random& random, std::string& out) {
  if (BlockElements(type) == 256) {
    AppendSuperBlock(type, scale, random, out);
    return;
  }
  if (type == WeightType::kQ4_0) Append(out, Half(scale / 8));
  if (type == WeightType::kQ8_0) Append(out, Half(scale / 128));
  if (type == WeightType::kQ4_1) {
    Append(out, Half(scale / 8));
    Append(out, Half(-scale));
  }
  const int bytes = type == WeightType::kQ8_0 ? 32 : 16;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(random.Next() >> 56));
}

std::string RandomRows(WeightType type, int64_t elements, float scale, Random& random) {
  std::string out;
  for (int64_t i = 0; i < elements; ++i) {
    switch (type) {
      case WeightType::kF32:
        Append(out, random.Uniform() * scale);
        break;
      case WeightType::kF16:
        Append(out, Half(random.Uniform() * scale));
        break;
      case WeightType::kBF16:
        Append(out, static_cast<uint16_t>(std::bit_cast<uint32_t>(random.Uniform() * scale) >> 16));
        break;
      default:
        if (i % BlockElements(type) == 0) AppendBlock(type, scale, random, out);
    }
  }
  return out;
}

/// Adds a model's metadata and tensors to a writer.
class TinyModelBuilder {
 public:
  TinyModelBuilder(const TinyModelOptions& options, GgufWriter& writer)
      : options_(options), writer_(writer), random_(options.seed) {}

  void AddConfig() {
    writer_.AddString("general.architecture", "llama");
    writer_.AddUint32("llama.block_count", options_.layers);
    writer_.AddUint32("llama.context_length", options_.max_positions);
    writer_.AddUint32("llama.embedding_length", options_.hidden_size);
    writer_.AddUint32("llama.feed_forward_length", options_.intermediate_size);
    writer_.AddUint32("llama.attention.head_count", options_.heads);
    writer_.AddUint32("llama.attention.head_count_kv", options_.kv_heads);
    writer_.AddFloat32("llama.rope.freq_base", 10000.0f);
    writer_.AddFloat32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  }

  void AddVocabulary(const TinyVocabulary& vocabulary) {
    std::vector<int32_t> types(vocabulary.tokens.size(), kNormalToken);
    std::fill_n(types.begin(), vocabulary.special_tokens, kControlToken);
    writer_.AddString("tokenizer.ggml.model", "gpt2");
    writer_.AddString("tokenizer.ggml.pre", "smollm");
    writer_.AddStrings("tokenizer.ggml.tokens", vocabulary.tokens);
    writer_.AddInt32s("tokenizer.ggml.token_type", types);
    writer_.AddStrings("tokenizer.ggml.merges", vocabulary.merges);
    writer_.AddUint32("tokenizer.ggml.bos_token_id", 1);
    writer_.AddUint32("tokenizer.ggml.eos_token_id", 2);
    writer_.AddBool("tokenizer.ggml.add_bos_token", false);
    writer_.AddString("tokenizer.chat_template", kChatTemplate);
  }

  void AddWeights(int vocab_size) {
    const int hidden = options_.hidden_size;
    const int kv = hidden / options_.heads * options_.kv_heads;
    AddRows("token_embd.weight", WeightType::kQ8_0, vocab_size, hidden);
    AddNorm("output_norm.weight");
    for (int layer = 0; layer < options_.layers; ++layer) {
      const std::string prefix = fmt::format("blk.{}.", layer);
      AddNorm(prefix + "attn_norm.weight");
      AddLinear(prefix + "attn_q.weight", hidden, hidden);
      AddLinear(prefix + "attn_k.weight", kv, hidden);
      AddLinear(prefix + "attn_v.weight", kv, hidden);
      AddLinear(prefix + "attn_output.weight", hidden, hidden);
      AddNorm(prefix + "ffn_norm.weight");
      AddLinear(prefix + "ffn_gate.weight", options_.intermediate_size, hidden);
      AddLinear(prefix + "ffn_up.weight", options_.intermediate_size, hidden);
      AddLinear(prefix + "ffn_down.weight", hidden, options_.intermediate_size);
    }
  }

 private:
  static constexpr int32_t kNormalToken = 1;
  static constexpr int32_t kControlToken = 3;

  void AddRows(const std::string& name, WeightType type, int64_t rows, int64_t columns) {
    const float scale = std::sqrt(3.0f / static_cast<float>(columns));
    writer_.AddTensor(name, type, rows, columns, RandomRows(type, rows * columns, scale, random_));
  }

  void AddLinear(const std::string& name, int64_t rows, int64_t columns) {
    AddRows(name, options_.weight_type, rows, columns);
  }

  void AddNorm(const std::string& name) {
    std::string ones;
    for (int i = 0; i < options_.hidden_size; ++i) Append(ones, 1.0f);
    writer_.AddTensor(name, WeightType::kF32, 0, options_.hidden_size, ones);
  }

  const TinyModelOptions& options_;
  GgufWriter& writer_;
  Random random_;
};

}  // namespace

std::string TinyModelBytes(const TinyModelOptions& options) {
  const TinyVocabulary vocabulary = MakeTinyVocabulary();
  GgufWriter writer;
  TinyModelBuilder builder(options, writer);
  builder.AddConfig();
  builder.AddVocabulary(vocabulary);
  builder.AddWeights(static_cast<int>(vocabulary.tokens.size()));
  return writer.Finish();
}

absl::Status WriteTinyModel(const std::string& path, const TinyModelOptions& options) {
  const std::string bytes = TinyModelBytes(options);
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return absl::UnavailableError(fmt::format("cannot write {}", path));
  return absl::OkStatus();
}

}  // namespace tandem::model::testing
