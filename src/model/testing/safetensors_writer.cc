#include "model/testing/safetensors_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tandem::model::testing {

void SafetensorsWriter::AddTensor(std::string_view name, std::string_view dtype,
                                  const std::vector<int64_t>& shape, std::string_view bytes) {
  AddEntry(name, fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", dtype,
                             fmt::join(shape, ","), data_.size(), data_.size() + bytes.size()));
  data_ += bytes;
}

void SafetensorsWriter::AddEntry(std::string_view name, std::string_view json) {
  header_ += fmt::format("{}\"{}\":{}", header_.empty() ? "" : ",", name, json);
}

std::string SafetensorsWriter::Finish() const {
  return SafetensorsFile(fmt::format(R"({{"__metadata__":{{"format":"pt"}}{}{}}})",
                                     header_.empty() ? "" : ",", header_),
                         data_);
}

std::string SafetensorsFile(std::string_view header, std::string_view data) {
  const uint64_t size = header.size();
  std::string file(reinterpret_cast<const char*>(&size), sizeof(size));
  file += header;
  file += data;
  return file;
}

}  // namespace tandem::model::testing
