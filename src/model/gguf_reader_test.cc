#include "model/gguf_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "model/testing/gguf_writer.h"

namespace tandem::model {
namespace {

using ::testing::ElementsAre;
using testing::GgufWriter;
using ::testing::HasSubstr;

/// A file with one of everything that the reader knows.
std::string WriteSample() {
  GgufWriter writer;
  writer.AddString("general.architecture", "llama");
  writer.AddUint32("llama.block_count", 2);
  writer.AddFloat32("llama.rope.freq_base", 0.5f);
  writer.AddBool("tokenizer.ggml.add_bos_token", true);
  writer.AddStrings("tokens", std::vector<std::string>{"a", "", "long"});
  writer.AddInt32s("types", std::vector<int32_t>{1, -3});
  writer.AddTensor("plain", WeightType::kF32, 0, 3, std::string(12, '\1'));
  writer.AddTensor("blocks", WeightType::kQ4_1, 2, 64, std::string(80, '\2'));
  return writer.Finish();
}

/// Reads out of an exact heap copy, so that a read past the end is seen by a sanitizer.
struct Reading {
  explicit Reading(std::string_view file)
      : copy(new std::byte[file.size()]), contents(Read(copy.get(), file)) {}

  static absl::StatusOr<GgufContents> Read(std::byte* to, std::string_view file) {
    std::memcpy(to, file.data(), file.size());
    return ReadGguf({to, file.size()});
  }

  std::unique_ptr<std::byte[]> copy;
  absl::StatusOr<GgufContents> contents;
};

std::string ErrorOf(std::string_view file) {
  const Reading reading(file);
  return std::string(reading.contents.status().message());
}

void Patch(std::string& file, size_t offset, uint64_t value, size_t size) {
  std::memcpy(file.data() + offset, &value, size);
}

TEST(GgufReader, ReadsMetadata) {
  const Reading reading(WriteSample());
  ASSERT_TRUE(reading.contents.ok()) << reading.contents.status();
  const GgufMetadata& metadata = reading.contents->metadata;
  EXPECT_EQ(metadata.String("general.architecture").value(), "llama");
  EXPECT_EQ(metadata.Integer("llama.block_count").value(), 2);
  EXPECT_EQ(metadata.Number("llama.block_count").value(), 2.0);
  EXPECT_EQ(metadata.Number("llama.rope.freq_base").value(), 0.5);
  EXPECT_TRUE(metadata.Bool("tokenizer.ggml.add_bos_token").value());
  EXPECT_THAT(metadata.Strings("tokens").value(), ElementsAre("a", "", "long"));
  EXPECT_THAT(metadata.Integers("types").value(), ElementsAre(1, -3));
}

TEST(GgufReader, ReadsTensors) {
  const Reading reading(WriteSample());
  ASSERT_TRUE(reading.contents.ok()) << reading.contents.status();
  ASSERT_EQ(reading.contents->tensors.size(), 2u);
  const GgufTensor& plain = reading.contents->tensors[0];
  EXPECT_EQ(plain.name, "plain");
  EXPECT_EQ(plain.view.rows, 1);
  EXPECT_EQ(plain.view.columns, 3);
  EXPECT_EQ(plain.view.bytes.size(), 12u);
  const GgufTensor& blocks = reading.contents->tensors[1];
  EXPECT_EQ(blocks.view.type, WeightType::kQ4_1);
  EXPECT_EQ(blocks.view.rows, 2);
  EXPECT_EQ(blocks.view.columns, 64);
  ASSERT_EQ(blocks.view.bytes.size(), 80u);
  EXPECT_EQ(blocks.view.bytes[79], std::byte{2});
}

TEST(GgufReader, TellsMissingKeysFromWrongTypes) {
  const Reading reading(WriteSample());
  ASSERT_TRUE(reading.contents.ok()) << reading.contents.status();
  const GgufMetadata& metadata = reading.contents->metadata;
  EXPECT_EQ(metadata.Integer("absent").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(metadata.Integer("tokens").status().message(),
            "metadata key tokens has type array of string; accepted: an integer below 2^63");
  EXPECT_EQ(metadata.Strings("types").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(metadata.Bool("llama.block_count").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(GgufReader, RefusesEveryTruncation) {
  const std::string file = WriteSample();
  for (size_t size = 0; size < file.size(); ++size) {
    const Reading reading(std::string_view(file).substr(0, size));
    EXPECT_EQ(reading.contents.status().code(), absl::StatusCode::kInvalidArgument) << size;
    EXPECT_THAT(reading.contents.status().message(), HasSubstr("offset")) << size;
  }
}

TEST(GgufReader, SurvivesEveryChangedByte) {
  const std::string file = WriteSample();
  int accepted = 0;
  for (size_t offset = 0; offset < file.size(); ++offset) {
    for (const int value : {0x00, 0x01, 0x09, 0x7f, 0x80, 0xff}) {
      std::string changed = file;
      changed[offset] = static_cast<char>(value);
      const Reading reading(changed);
      if (!reading.contents.ok()) continue;
      ++accepted;
      for (const GgufTensor& tensor : reading.contents->tensors) {
        EXPECT_EQ(tensor.view.bytes.size(),
                  tensor.view.rows * RowBytes(tensor.view.type, tensor.view.columns));
      }
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(GgufReader, NamesWhatIsWrongInTheHeader) {
  std::string file = WriteSample();
  EXPECT_EQ(ErrorOf("ELF file"), "magic at offset 0: is not \"GGUF\": this is no GGUF file");
  Patch(file, 4, 1, 4);
  EXPECT_EQ(ErrorOf(file), "version at offset 4: is 1; accepted: 2 or 3");
  Patch(file, 4, 0x03000000, 4);
  EXPECT_THAT(ErrorOf(file), HasSubstr("big-endian"));
  file = WriteSample();
  Patch(file, 8, ~uint64_t{0}, 8);
  EXPECT_THAT(ErrorOf(file), HasSubstr("tensor count at offset 8: is 18446744073709551615, but"));
  file = WriteSample();
  Patch(file, 16, uint64_t{1} << 40, 8);
  EXPECT_THAT(ErrorOf(file), HasSubstr("metadata count at offset 16"));
}

TEST(GgufReader, RefusesHugeStrings) {
  std::string file = WriteSample();
  Patch(file, 24, ~uint64_t{0} - 8, 8);
  EXPECT_THAT(ErrorOf(file), HasSubstr("key of metadata pair 0 at offset 32: expected"));
}

TEST(GgufReader, RefusesDeeplyNestedArrays) {
  std::string file = "GGUF";
  const auto append = [&file](uint64_t value, size_t size) {
    file.append(reinterpret_cast<const char*>(&value), size);
  };
  append(3, 4);
  append(0, 8);
  append(1, 8);
  append(1, 8);
  file += "k";
  append(9, 4);
  for (int i = 0; i < 10'000; ++i) {
    append(9, 4);
    append(1, 8);
  }
  EXPECT_THAT(ErrorOf(file), HasSubstr("nested deeper than"));
}

TEST(GgufReader, NamesATensorOfAnUnsupportedType) {
  std::string file = WriteSample();
  const size_t name = file.find("blocks");
  const size_t type = name + 6 + 4 + 16;
  Patch(file, type, 10, 4);
  EXPECT_THAT(ErrorOf(file), HasSubstr("tensor blocks at offset "));
  EXPECT_THAT(ErrorOf(file), HasSubstr("type 10 (Q2_K) is not supported; accepted: F32, F16, BF16, "
                                       "Q4_0, Q4_1, Q8_0, Q4_K, Q5_K, Q6_K"));
}

TEST(GgufReader, RefusesShapesThatOverflow) {
  std::string file = WriteSample();
  const size_t first_dimension = file.find("blocks") + 6 + 4;
  Patch(file, first_dimension, uint64_t{1} << 40, 8);
  Patch(file, first_dimension + 8, uint64_t{1} << 40, 8);
  EXPECT_THAT(ErrorOf(file), HasSubstr("tensor blocks"));
  EXPECT_THAT(ErrorOf(file), HasSubstr("2^48 elements"));
}

TEST(GgufReader, RefusesRowsThatAreNoWholeBlocks) {
  GgufWriter writer;
  writer.AddTensor("odd", WeightType::kQ8_0, 1, 33, std::string(68, '\0'));
  EXPECT_THAT(ErrorOf(writer.Finish()), HasSubstr("rows of 33 elements"));
}

TEST(GgufReader, RefusesRepeatedNames) {
  GgufWriter keys;
  keys.AddUint32("twice", 1);
  keys.AddUint32("twice", 2);
  EXPECT_THAT(ErrorOf(keys.Finish()), HasSubstr("metadata key twice"));
  GgufWriter tensors;
  tensors.AddTensor("twice", WeightType::kF32, 0, 1, std::string(4, '\0'));
  tensors.AddTensor("twice", WeightType::kF32, 0, 1, std::string(4, '\0'));
  EXPECT_THAT(ErrorOf(tensors.Finish()), HasSubstr("tensor twice"));
}

}  // namespace
}  // namespace tandem::model
