#include "store/disk/object_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/numbers.h"
#include "base/clock.h"
#include "base/status.h"

namespace tandem::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".log";
constexpr Duration kComplainEvery = std::chrono::seconds(10);

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// Operations of which all are waited for; how each ended.
class Batch {
 public:
  explicit Batch(size_t count) : results_(count) {}

  DiskIo::Done Add(size_t index) {
    MutexLock lock(mutex_);
    ++left_;
    return [this, index](absl::Status status) {
      MutexLock ending(mutex_);
      results_[index] = std::move(status);
      --left_;
      changed_.NotifyAll();
    };
  }
  std::vector<absl::Status> Wait() {
    MutexLock lock(mutex_);
    // The buffers are the disk's until it has let go of them, however long that takes.
    while (!changed_.WaitUntil(mutex_, Clock::Real().Now() + kComplainEvery,
                               [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return left_ == 0; })) {
      spdlog::warn("a disk has not ended {} operations in {} s", left_, Seconds(kComplainEvery));
    }
    return std::move(results_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  size_t left_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<absl::Status> results_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<ObjectLog>> ObjectLog::Open(const Options& options, DiskIo& io) {
  std::unique_ptr<ObjectLog> log(new ObjectLog(options, io));
  RETURN_IF_ERROR(log->Load());
  return log;
}

ObjectLog::~ObjectLog() {
  Seal();
  MutexLock lock(mutex_);
  while (!read_.WaitUntil(mutex_, Clock::Real().Now() + kComplainEvery,
                          [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return reading_ == 0; })) {
    spdlog::warn("a disk has not ended {} reads in {} s", reading_, Seconds(kComplainEvery));
  }
}

absl::Status ObjectLog::Load() {
  std::error_code error;
  std::map<uint64_t, std::string> paths;
  for (const auto& entry : fs::directory_iterator(options_.directory, error)) {
    uint64_t number = 0;
    if (entry.path().extension() == kExtension &&
        absl::SimpleAtoi(entry.path().stem().string(), &number)) {
      paths[number] = entry.path().string();
    }
  }
  if (error) {
    return absl::UnavailableError(
        fmt::format("cannot read {}: {}", options_.directory, error.message()));
  }
  MutexLock lock(mutex_);
  for (const auto& [number, path] : paths) {
    next_number_ = number + 1;
    const absl::Status loaded = LoadFile(number, path);
    if (loaded.ok()) continue;
    spdlog::warn("{}: {}", path, std::string(loaded.message()));
    in_doubt_ = !fs::remove(path, error) || in_doubt_;
  }
  const auto files = files_;
  for (const auto& [number, file] : files) DeleteIfEmpty(file);
  CountUsed();
  return absl::OkStatus();
}

absl::Status ObjectLog::LoadFile(uint64_t number, const std::string& path) {
  std::vector<LogFile::Found> records;
  ASSIGN_OR_RETURN(const std::shared_ptr<LogFile> file, LogFile::Open(path, &records));
  files_[number] = file;
  bool any_removed = false;
  for (LogFile::Found& record : records) {
    any_removed = any_removed || record.head.removed;
    if (record.head.removed) continue;
    const uint64_t generation = record.head.object.generation;
    Entry& entry = entries_[generation];
    if (entry.file != nullptr) {
      // Written twice: the later one counts, and the earlier one stays.
      --entry.file->live;
      in_doubt_ = true;
    }
    entry = {std::move(record.head.object), file, record.position};
    ++file->live;
  }
  // Whoever marked them may have ended before it had them synced.
  const bool synced = !any_removed || io_.Sync(file->fd()).ok();
  in_doubt_ = in_doubt_ || !synced || !file->read_whole();
  return absl::OkStatus();
}

void ObjectLog::CountUsed() {
  uint64_t used = 0;
  for (const auto& [number, file] : files_) used += file->capacity();
  used_ = used;
}

void ObjectLog::Seal() {
  if (active_ == nullptr) return;
  active_->Seal();
  const auto sealed = std::exchange(active_, nullptr);
  DeleteIfEmpty(sealed);
  CountUsed();
}

void ObjectLog::DeleteIfEmpty(const std::shared_ptr<LogFile>& file) {
  if (file == active_ || file->live > 0) return;
  if (files_.erase(file->header().number) == 0) return;
  in_doubt_ = !file->Delete() || in_doubt_;
  CountUsed();
}

bool ObjectLog::DropOldest(std::vector<StoredObject>* dropped) {
  if (files_.empty()) return false;
  const std::shared_ptr<LogFile> oldest = files_.begin()->second;
  if (oldest == active_) active_ = nullptr;
  {
    MutexLock lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end();) {
      const auto current = it++;
      if (current->second.file != oldest) continue;
      dropped->push_back(std::move(current->second.object));
      entries_.erase(current);
    }
  }
  absl::erase_if(to_mark_, [&](const auto& entry) { return entry.second.file == oldest; });
  oldest->live = 0;
  DeleteIfEmpty(oldest);
  return true;
}

absl::Status ObjectLog::StartFile(uint64_t least, std::vector<StoredObject>* dropped) {
  if (least > options_.capacity_bytes) {
    return absl::ResourceExhaustedError(fmt::format(
        "an object of {} bytes is larger than the {} on disk", least, options_.capacity_bytes));
  }
  Seal();
  // A few files at least, so that making room does not empty the disk.
  const uint64_t usual = std::min(options_.file_bytes, options_.capacity_bytes / 4);
  const uint64_t bytes = std::max(usual, least);
  while (used_ + bytes > options_.capacity_bytes && DropOldest(dropped)) {
  }
  absl::StatusOr<std::shared_ptr<LogFile>> file;
  do {
    const uint64_t number = next_number_++;
    file = LogFile::Create(io_, fmt::format("{}/{:012}{}", options_.directory, number, kExtension),
                           number, bytes);
  } while (absl::IsResourceExhausted(file.status()) && DropOldest(dropped));
  RETURN_IF_ERROR(file.status());
  active_ = *file;
  files_[active_->header().number] = active_;
  CountUsed();
  return absl::OkStatus();
}

absl::StatusOr<ObjectLog::Placed> ObjectLog::Place(uint64_t length,
                                                   std::vector<StoredObject>* dropped) {
  if (active_ == nullptr || length > active_->capacity() - active_->end) {
    RETURN_IF_ERROR(StartFile(kFileHeaderBytes + length, dropped));
  }
  const Placed placed{active_, active_->end};
  active_->end += length;
  return placed;
}

std::vector<absl::Status> ObjectLog::Store(std::span<const Write> writes,
                                           std::vector<StoredObject>* dropped) {
  std::vector<absl::Status> statuses(writes.size());
  std::vector<Placed> places(writes.size());
  for (size_t i = 0; i < writes.size(); ++i) {
    const StoredObject& object = writes[i].object;
    if (Find(object.generation)) continue;
    auto placed = Place(RecordLength(object.key.size(), object.size), dropped);
    statuses[i] = placed.status();
    if (!placed.ok()) continue;
    places[i] = *std::move(placed);
    ++places[i].file->live;
  }
  // First the bytes, then the heads that say that they are there.
  std::vector<std::string> heads(writes.size());
  Batch bodies(writes.size());
  for (size_t i = 0; i < writes.size(); ++i) {
    if (places[i].file == nullptr) continue;
    const StoredObject& object = writes[i].object;
    heads[i] = PackHead(object, places[i].file->header().nonce, places[i].position);
    io_.Write(places[i].file->fd(), places[i].position + BytesOffset(object.key.size()),
              writes[i].bytes, bodies.Add(i));
  }
  const std::vector<absl::Status> written = bodies.Wait();
  Batch ends(writes.size());
  for (size_t i = 0; i < writes.size(); ++i) {
    if (places[i].file == nullptr || !written[i].ok()) continue;
    io_.Write(places[i].file->fd(), places[i].position, BytesOf(heads[i]), ends.Add(i));
  }
  const std::vector<absl::Status> ended = ends.Wait();

  bool full = false;
  for (size_t i = 0; i < writes.size(); ++i) {
    const std::shared_ptr<LogFile>& file = places[i].file;
    if (file == nullptr) continue;
    statuses[i] = written[i].ok() ? ended[i] : written[i];
    in_doubt_ = in_doubt_ || (written[i].ok() && !ended[i].ok());
    // A later object of the batch may have taken the file's place.
    const bool kept = files_.contains(file->header().number);
    if (statuses[i].ok() && !kept) statuses[i] = absl::ResourceExhaustedError("the disk is full");
    if (statuses[i].ok()) {
      MutexLock lock(mutex_);
      entries_[writes[i].object.generation] = {writes[i].object, file, places[i].position};
    } else if (kept) {
      --file->live;
      if (file == active_) Seal();  // what cannot be written there may be elsewhere
      DeleteIfEmpty(file);
      full = full || absl::IsResourceExhausted(statuses[i]);
    }
  }
  if (full) DropOldest(dropped);
  return statuses;
}

absl::Status ObjectLog::Remove(std::span<const uint64_t> generations) {
  std::vector<uint64_t> marked;
  for (const uint64_t generation : generations) {
    MutexLock lock(mutex_);
    auto entry = entries_.extract(generation);
    if (!entry.empty()) to_mark_[generation] = std::move(entry.mapped());
    if (to_mark_.contains(generation)) marked.push_back(generation);
  }
  if (marked.empty()) return absl::OkStatus();
  const std::string removed = PackRemoved();
  Batch batch(marked.size());
  std::set<std::shared_ptr<LogFile>> files;
  for (size_t i = 0; i < marked.size(); ++i) {
    const Entry& entry = to_mark_.at(marked[i]);
    files.insert(entry.file);
    io_.Write(entry.file->fd(), entry.position + kRemovedOffset, BytesOf(removed), batch.Add(i));
  }
  absl::Status status;
  for (const absl::Status& ended : batch.Wait()) status.Update(ended);
  for (const std::shared_ptr<LogFile>& file : files) status.Update(io_.Sync(file->fd()));
  RETURN_IF_ERROR(status);
  for (const uint64_t generation : marked) {
    const auto entry = to_mark_.extract(generation);
    --entry.mapped().file->live;
    DeleteIfEmpty(entry.mapped().file);
  }
  return absl::OkStatus();
}

void ObjectLog::Read(uint64_t generation, uint64_t position, std::span<std::byte> destination,
                     DiskIo::Done done) {
  std::shared_ptr<LogFile> file;
  uint64_t offset = 0;
  absl::Status status;
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(generation);
    if (found == entries_.end()) {
      status = absl::NotFoundError("the disk does not hold that object any more");
    } else if (const StoredObject& object = found->second.object;
               position > object.size || destination.size() > object.size - position) {
      status = absl::OutOfRangeError("bytes that the object on disk does not have");
    } else {
      file = found->second.file;
      offset = found->second.position + BytesOffset(object.key.size()) + position;
      ++reading_;
    }
  }
  if (!status.ok()) return done(status);
  io_.Read(file->fd(), offset, destination,
           [this, file, done = std::move(done)](const absl::Status& read) {
             done(read.ok() ? read : absl::DataLossError(read.message()));
             MutexLock lock(mutex_);
             --reading_;
             read_.NotifyAll();
           });
}

std::optional<StoredObject> ObjectLog::Find(uint64_t generation) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(generation);
  if (found == entries_.end()) return std::nullopt;
  return found->second.object;
}

std::vector<StoredObject> ObjectLog::All() const {
  MutexLock lock(mutex_);
  std::vector<StoredObject> objects;
  for (const auto& [generation, entry] : entries_) objects.push_back(entry.object);
  return objects;
}

size_t ObjectLog::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace tandem::store
