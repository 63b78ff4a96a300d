#include "store/disk/heard_through.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/durable_file.h"
#include "base/hash.h"
#include "base/scoped_fd.h"
#include "base/status.h"

namespace tandem::store {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr uint64_t kMagic = 0x0001'6472'6864'6e74;  // "tndhrd", version 1

struct Fields {
  uint64_t magic, checksum, generation;
};

constexpr size_t kChecked = offsetof(Fields, generation);

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

absl::Status Failed(const std::string& path) {
  return absl::ErrnoToStatus(errno, fmt::format("cannot write {}", path));
}

absl::Status WriteFile(const std::string& path, const std::string& bytes) {
  const ScopedFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) return Failed(path);
  if (!WriteAll(file.get(), BytesOf(bytes)) || fdatasync(file.get()) != 0) return Failed(path);
  return absl::OkStatus();
}

}  // namespace

std::string PackHeardThrough(const HeardThrough& heard) {
  Fields fields{kMagic, 0, heard.generation};
  std::string bytes(reinterpret_cast<const char*>(&fields), sizeof(fields));
  bytes += heard.epoch;
  fields.checksum = Checksum64(BytesOf(bytes).subspan(kChecked));
  std::memcpy(bytes.data(), &fields, sizeof(fields));
  return bytes;
}

absl::StatusOr<HeardThrough> UnpackHeardThrough(std::span<const std::byte> bytes) {
  Fields fields;
  if (bytes.size() < sizeof(fields) || bytes.size() > sizeof(fields) + kMostEpochBytes) {
    return absl::DataLossError("not as long as what was heard takes");
  }
  std::memcpy(&fields, bytes.data(), sizeof(fields));
  if (fields.magic != kMagic || fields.checksum != Checksum64(bytes.subspan(kChecked))) {
    return absl::DataLossError("what was heard is damaged");
  }
  const std::span<const std::byte> epoch = bytes.subspan(sizeof(fields));
  return HeardThrough{fields.generation,
                      std::string(reinterpret_cast<const char*>(epoch.data()), epoch.size())};
}

HeardThrough ReadHeardThrough(const std::string& directory) {
  std::ifstream file(directory + "/heard", std::ios::binary);
  std::string bytes(sizeof(Fields) + kMostEpochBytes + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(file.gcount()));
  return UnpackHeardThrough(BytesOf(bytes)).value_or(HeardThrough{});
}

absl::Status WriteHeardThrough(const std::string& directory, const HeardThrough& heard) {
  if (heard.epoch.size() > kMostEpochBytes) {
    return absl::InvalidArgumentError(fmt::format("an epoch of {} bytes: at most {} are kept",
                                                  heard.epoch.size(), kMostEpochBytes));
  }
  const std::string path = directory + "/heard", successor = path + ".new";
  // A deleted file that a crash brings back has objects that this would vouch for.
  if (!SyncDirectory(directory)) return Failed(directory);
  RETURN_IF_ERROR(WriteFile(successor, PackHeardThrough(heard)));
  if (std::rename(successor.c_str(), path.c_str()) != 0) return Failed(path);
  return SyncDirectory(directory) ? absl::OkStatus() : Failed(directory);
}

}  // namespace tandem::store
