#include "model/safetensors_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <string>

#include "model/testing/safetensors_writer.h"

namespace tandem::model {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using testing::SafetensorsFile;
using testing::SafetensorsWriter;
using ::testing::UnorderedElementsAre;

absl::StatusOr<std::vector<SafetensorsTensor>> Read(const std::string& file) {
  return ReadSafetensors(std::as_bytes(std::span(file)));
}

std::string ErrorOf(const std::string& file) { return std::string(Read(file).status().message()); }

/// The error of a file whose only tensor has this entry, with 16 bytes of data.
std::string ErrorOfEntry(const std::string& entry) {
  return ErrorOf(SafetensorsFile("{\"w\":" + entry + "}", std::string(16, '\0')));
}

TEST(SafetensorsReader, ReadsTensors) {
  SafetensorsWriter writer;
  writer.AddTensor("w", "F16", {2, 3}, "abcdefghijkl");
  writer.AddTensor("g_idx", "I32", {1}, "mnop");
  const std::string file = writer.Finish();
  const auto tensors = Read(file);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 2u);
  const auto view = (*tensors)[0].View();
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ((*tensors)[0].name, "w");
  EXPECT_EQ(view->type, WeightType::kF16);
  EXPECT_EQ(view->rows, 2);
  EXPECT_EQ(view->columns, 3);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(view->bytes.data()), view->bytes.size()),
            "abcdefghijkl");
  EXPECT_EQ((*tensors)[1].View()->rows, 1);
  EXPECT_EQ((*tensors)[1].View()->type, WeightType::kI32);
}

TEST(SafetensorsReader, RefusesToComputeWithOtherTypes) {
  SafetensorsWriter writer;
  writer.AddTensor("w", "F8_E4M3", {4}, "abcd");
  const std::string file = writer.Finish();
  const auto tensors = Read(file);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_THAT(std::string((*tensors)[0].View().status().message()),
              HasSubstr("tensor w has dtype F8_E4M3; accepted: F32, F16, BF16"));
}

TEST(SafetensorsReader, ChecksTheHeader) {
  EXPECT_THAT(ErrorOf("abc"), HasSubstr("header size"));
  EXPECT_THAT(ErrorOf(std::string("\xff\0\0\0\0\0\0\0{}", 10)), HasSubstr("header size"));
  EXPECT_THAT(ErrorOf(SafetensorsFile("[]", "")), HasSubstr("the header is not a JSON object"));
  EXPECT_THAT(ErrorOf(SafetensorsFile("{", "")), HasSubstr("the header is no JSON"));
}

TEST(SafetensorsReader, ChecksEachTensor) {
  EXPECT_THAT(ErrorOfEntry(R"({"shape":[4],"data_offsets":[0,16]})"),
              HasSubstr("tensor w.dtype is missing"));
  EXPECT_THAT(ErrorOfEntry(R"({"dtype":"F31","shape":[4],"data_offsets":[0,16]})"),
              HasSubstr("tensor w.dtype is \"F31\"; accepted: F32"));
  EXPECT_THAT(ErrorOfEntry(R"({"dtype":"F32","shape":[0],"data_offsets":[0,16]})"),
              HasSubstr("tensor w.shape[0] is 0; accepted: an integer from 1"));
  EXPECT_THAT(ErrorOfEntry(
                  R"({"dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,16]})"),
              HasSubstr("tensor w.shape[1] is 1099511627776"));
  EXPECT_THAT(ErrorOfEntry(R"({"dtype":"F32","shape":[3],"data_offsets":[0,16]})"),
              HasSubstr("tensor w.data_offsets is [0, 16]; accepted: 12 bytes"));
  EXPECT_THAT(ErrorOfEntry(R"({"dtype":"F32","shape":[4],"data_offsets":[4,20]})"),
              HasSubstr("the data section has 16 bytes: is the file truncated?"));
  EXPECT_THAT(ErrorOfEntry(R"({"dtype":"F32","shape":[4],"data_offsets":[-4,12]})"),
              HasSubstr("tensor w.data_offsets[0] is -4"));
  EXPECT_THAT(ErrorOfEntry(R"({"dtype":"F32","shape":[4],"data_offsets":[8,4]})"),
              HasSubstr("tensor w.data_offsets[1] is 4"));
}

TEST(SafetensorsIndex, ReadsTheFileOfEachTensor) {
  const auto files = ReadSafetensorsIndex(
      R"({"metadata":{"total_size":9},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(*files, UnorderedElementsAre(Pair("a", "1.safetensors"), Pair("b", "2.safetensors")));
}

TEST(SafetensorsIndex, StaysInTheDirectory) {
  for (const char* file : {"../other", "/etc/passwd", "a/b", "..", ""}) {
    const auto files = ReadSafetensorsIndex(std::string(R"({"weight_map":{"a":")") + file + "\"}}");
    EXPECT_THAT(std::string(files.status().message()),
                HasSubstr("weight_map.a is \"" + std::string(file) + "\"; accepted: the name"));
  }
  EXPECT_THAT(std::string(ReadSafetensorsIndex("{}").status().message()),
              HasSubstr("weight_map is missing"));
}

}  // namespace
}  // namespace tandem::model
