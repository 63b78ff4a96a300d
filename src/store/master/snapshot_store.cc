#include "store/master/snapshot_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "base/durable_file.h"
#include "base/hash.h"
#include "base/status.h"

namespace tandem::store {
namespace {

namespace fs = std::filesystem;

struct Record {
  uint64_t key_hash;
  uint64_t generation;
  uint64_t checksum;

  uint64_t Checksum() const {
    const std::array<uint64_t, 2> fields = {key_hash, generation};
    return Checksum64(std::as_bytes(std::span(fields)));
  }
};

absl::Status Failed(const std::string& what, const std::string& path) {
  return absl::UnavailableError(
      fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(errno)));
}

absl::StatusOr<std::string> ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(fmt::format("{} is not there", path));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotStore>> SnapshotStore::Open(const std::string& directory,
                                                                   const std::string& cluster_id) {
  std::error_code error;
  fs::create_directories(directory, error);
  std::unique_ptr<SnapshotStore> store(new SnapshotStore(directory, cluster_id));
  const std::vector<uint64_t> journals = store->Journals();
  {
    MutexLock lock(store->mutex_);
    store->journal_number_ = journals.empty() ? 0 : journals.back();
  }
  RETURN_IF_ERROR(store->BeginJournal().status());
  return store;
}

std::string SnapshotStore::SnapshotPath() const {
  return fmt::format("{}/{}.snapshot", directory_, cluster_id_);
}

std::string SnapshotStore::JournalPath(uint64_t number) const {
  return fmt::format("{}/{}.removals.{}", directory_, cluster_id_, number);
}

std::vector<uint64_t> SnapshotStore::Journals() const {
  const std::string prefix = cluster_id_ + ".removals.";
  std::vector<uint64_t> numbers;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
    const std::string name = entry.path().filename().string();
    uint64_t number = 0;
    if (absl::StartsWith(name, prefix) && absl::SimpleAtoi(name.substr(prefix.size()), &number)) {
      numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

absl::StatusOr<uint64_t> SnapshotStore::BeginJournal() {
  MutexLock lock(mutex_);
  const std::string path = JournalPath(journal_number_ + 1);
  ScopedFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file.valid()) return Failed("write", path);
  SyncDirectory(directory_);
  journal_ = std::move(file);
  return ++journal_number_;
}

void SnapshotStore::Append(const std::vector<proto::Tombstone>& removed) {
  if (removed.empty()) return;
  std::vector<Record> records;
  for (const proto::Tombstone& tombstone : removed) {
    Record record{tombstone.key_hash(), tombstone.generation(), 0};
    record.checksum = record.Checksum();
    records.push_back(record);
  }
  MutexLock lock(mutex_);
  if (WriteAll(journal_.get(), std::as_bytes(std::span(records))) &&
      fdatasync(journal_.get()) == 0) {
    return;
  }
  spdlog::error("{}; the snapshot is dropped",
                std::string(Failed("write", JournalPath(journal_number_)).message()));
  failed_journal_ = journal_number_;
  unlink(SnapshotPath().c_str());
  SyncDirectory(directory_);
}

absl::Status SnapshotStore::Save(const proto::Snapshot& snapshot) {
  const std::string bytes = snapshot.SerializeAsString();
  const uint64_t checksum = Checksum64(std::as_bytes(std::span(bytes)));
  const std::string temporary = SnapshotPath() + ".new";
  {
    const ScopedFd file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.valid() || !WriteAll(file.get(), std::as_bytes(std::span(&checksum, 1))) ||
        !WriteAll(file.get(), std::as_bytes(std::span(bytes))) || fsync(file.get()) != 0) {
      return Failed("write", temporary);
    }
  }
  MutexLock lock(mutex_);
  if (snapshot.journal() <= failed_journal_) {
    return absl::UnavailableError("what was removed since the snapshot is not noted");
  }
  if (rename(temporary.c_str(), SnapshotPath().c_str()) != 0) {
    return Failed("write", SnapshotPath());
  }
  SyncDirectory(directory_);
  for (const uint64_t number : Journals()) {
    if (number < snapshot.journal()) unlink(JournalPath(number).c_str());
  }
  return absl::OkStatus();
}

absl::StatusOr<proto::Snapshot> SnapshotStore::Load() const {
  ASSIGN_OR_RETURN(const std::string file, ReadAll(SnapshotPath()));
  uint64_t checksum = 0;
  proto::Snapshot snapshot;
  std::memcpy(&checksum, file.data(), std::min(file.size(), sizeof(checksum)));
  const std::string bytes = file.size() < sizeof(checksum) ? "" : file.substr(sizeof(checksum));
  if (file.size() < sizeof(checksum) || Checksum64(std::as_bytes(std::span(bytes))) != checksum ||
      !snapshot.ParseFromString(bytes)) {
    return absl::DataLossError(fmt::format("{} is damaged", SnapshotPath()));
  }
  for (const uint64_t number : Journals()) {
    if (number < snapshot.journal()) continue;
    ASSIGN_OR_RETURN(const std::string journal, ReadAll(JournalPath(number)));
    for (size_t at = 0; at + sizeof(Record) <= journal.size(); at += sizeof(Record)) {
      Record record;
      std::memcpy(&record, journal.data() + at, sizeof(record));
      if (record.checksum != record.Checksum()) {
        return absl::DataLossError(fmt::format("{} is damaged", JournalPath(number)));
      }
      proto::Tombstone& tombstone = *snapshot.add_tombstones();
      tombstone.set_key_hash(record.key_hash);
      tombstone.set_generation(record.generation);
    }
  }
  return snapshot;
}

}  // namespace tandem::store
