// Files of the disk tier: whatever stands in a log file, what the index is rebuilt with was written
// so; and what was heard is what was noted.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/log.h"
#include "store/disk/heard_through.h"
#include "store/disk/log_file.h"
#include "store/disk/record.h"

namespace {

using namespace tandem::store;

constexpr uint64_t kNonce = 7;

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckHeardThrough(const std::string& input) {
  if (const auto heard = UnpackHeardThrough(BytesOf(input)); heard.ok()) {
    Check(PackHeardThrough(*heard) == input);
  }
  const HeardThrough noted{input.size() << 20, input.substr(0, kMostEpochBytes)};
  std::string bytes = PackHeardThrough(noted);
  Check(*UnpackHeardThrough(BytesOf(bytes)) == noted);
  bytes[input.size() % bytes.size()] ^= 1;
  Check(!UnpackHeardThrough(BytesOf(bytes)).ok());
}

}  // namespace

/// Input: steps of 4 bytes, each of which adds a record, adds raw bytes of the input, damages a
/// byte or cuts the file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spdlog::set_level(spdlog::level::off);
  const std::string input(reinterpret_cast<const char*>(data), size);
  (void)UnpackFileHeader(BytesOf(input));
  (void)UnpackHead(BytesOf(input), kNonce, 0);
  CheckHeardThrough(input);

  std::string file = PackFileHeader({.number = 1, .nonce = kNonce});
  std::vector<StoredObject> written;
  for (size_t at = 0; at + 4 <= size && file.size() < 1 << 18; at += 4) {
    const uint8_t kind = data[at], a = data[at + 1], b = data[at + 2], c = data[at + 3];
    if (kind % 4 == 0) {
      const StoredObject object{std::string(1 + a, 'k'), b, uint64_t{c} * 5, a, (b & 1) != 0};
      const uint64_t position = file.size() / kRecordAlignment * kRecordAlignment;
      file.resize(position);
      file += PackHead(object, kNonce, position);
      file.resize(position + RecordLength(object.key.size(), object.size), 'x');
      written.push_back(object);
    } else if (kind % 4 == 1) {
      file += input.substr(at, 64 * a);
    } else if (kind % 4 == 2) {
      file[(a * 65536 + b * 256 + c) % file.size()] ^= static_cast<char>(1 + kind);
    } else {
      file.resize(file.size() - std::min<size_t>(file.size(), 256 * a + b));
      if (file.empty()) break;
    }
  }
  const std::string path = "/tmp/object_log_fuzz." + std::to_string(getpid()) + ".log";
  std::ofstream(path, std::ios::binary | std::ios::trunc) << file;
  std::vector<LogFile::Found> found;
  const auto opened = LogFile::Open(path, &found);
  uint64_t end = kFileHeaderBytes;
  for (const LogFile::Found& record : found) {
    const StoredObject& object = record.head.object;
    Check(record.position >= end);
    end = record.position + RecordLength(object.key.size(), object.size);
    Check(std::find(written.begin(), written.end(), object) != written.end());
  }
  if (opened.ok()) Check((*opened)->end == end);
  return 0;
}
