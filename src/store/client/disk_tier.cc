#include "store/client/disk_tier.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include "base/status.h"

namespace tandem::store {
namespace {

namespace fs = std::filesystem;

/// Of what is free on the file system when the tier is opened: others may want some as well.
constexpr uint64_t kDefaultShare = 2;
constexpr uint64_t kLeastCapacity = 1 << 20;
constexpr Duration kComplainEvery = std::chrono::seconds(10);
/// A master remembers far more than what is removed in that time.
constexpr Duration kNoteEvery = std::chrono::seconds(1);

absl::StatusOr<uint64_t> DefaultCapacity(const std::string& directory) {
  std::error_code error;
  const fs::space_info space = fs::space(directory, error);
  if (error) {
    return absl::UnavailableError(fmt::format("cannot use {}: {}", directory, error.message()));
  }
  uint64_t own = 0;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    std::error_code gone;
    const uint64_t size = entry.file_size(gone);
    if (!gone) own += size;
  }
  return own + space.available / kDefaultShare;
}

}  // namespace

/// How a task of the disk's thread ended, once it has.
class DiskTier::Ending {
 public:
  void Set(absl::Status status) {
    MutexLock lock(mutex_);
    status_ = std::move(status);
    changed_.NotifyAll();
  }
  absl::Status Wait(TimePoint deadline) {
    MutexLock lock(mutex_);
    changed_.WaitUntil(mutex_, deadline,
                       [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return status_.has_value(); });
    return status_.value_or(absl::DeadlineExceededError("the disk has not answered in time"));
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<absl::Status> status_ ABSL_GUARDED_BY(mutex_);
};

DiskTier::Counters::Counters(MetricRegistry& metrics)
    : written_bytes(AddCounter(metrics, "tandem:store_disk_written_bytes_total",
                               "Bytes of objects written to this process's disk.")),
      failed_writes(AddCounter(metrics, "tandem:store_disk_failed_writes_total",
                               "Objects that could not be written to this process's disk.")),
      read_bytes(AddCounter(metrics, "tandem:store_disk_served_bytes_total",
                            "Bytes of objects read from this process's disk.")),
      failed_reads(AddCounter(metrics, "tandem:store_disk_failed_reads_total",
                              "Reads that this process's disk did not answer.")),
      unusable(AddCounter(metrics, "tandem:store_disk_unusable_total",
                          "Directories that could not be used: objects stay in memory.")),
      objects(AddGauge(metrics, "tandem:store_disk_objects", "Objects on this process's disk.")),
      used_bytes(AddGauge(metrics, "tandem:store_disk_used_bytes",
                          "Bytes that this process's files take on disk.")) {}

DiskTier::DiskTier(std::string host, MakeIo make_io, MetricRegistry& metrics)
    : host_(std::move(host)), make_io_(std::move(make_io)), counters_(metrics) {}

DiskTier::~DiskTier() {
  std::unique_ptr<TaskQueue> tasks;
  {
    MutexLock lock(mutex_);
    tasks = std::move(tasks_);
  }
  tasks.reset();
}

void DiskTier::Open(const proto::Offload& where) {
  MutexLock lock(mutex_);
  if (tasks_ != nullptr) return;
  tasks_ = std::make_unique<TaskQueue>(1, std::numeric_limits<size_t>::max());
  tasks_->Submit([this, where] {
    auto opened = TryOpen(where);
    if (opened.ok()) {
      ShowUse(**opened);
      spdlog::info("objects go to disk in {}, at most {} bytes by {}; {} are there",
                   (*opened)->directory.path(), (*opened)->log->capacity(), (*opened)->io->name(),
                   (*opened)->log->size());
    } else {
      counters_.unusable.Increment();
      spdlog::warn("root_fs_dir {}: {}; objects stay in memory", where.directory(),
                   std::string(opened.status().message()));
    }
    MutexLock ending(mutex_);
    unusable_ = !opened.ok();
    if (opened.ok()) {
      heard_ = ReadHeardThrough((*opened)->directory.path());
      disk_ = *std::move(opened);
    }
    opened_.NotifyAll();
  });
}

absl::StatusOr<std::shared_ptr<DiskTier::Disk>> DiskTier::TryOpen(const proto::Offload& where) {
  ASSIGN_OR_RETURN(ClaimedDirectory directory,
                   ClaimedDirectory::Claim(where.directory(), where.cluster_id() + "-" + host_));
  uint64_t capacity = where.capacity_bytes();
  if (capacity == 0) {
    ASSIGN_OR_RETURN(capacity, DefaultCapacity(directory.path()));
  }
  // What was there is served, and its removals are confirmed, however full the disk is by now.
  if (capacity < kLeastCapacity && directory.is_new()) {
    return absl::ResourceExhaustedError(
        fmt::format("there is room for {} bytes, and {} are the least", capacity, kLeastCapacity));
  }
  std::unique_ptr<DiskIo> io = make_io_();
  ObjectLog::Options options{.directory = directory.path(), .capacity_bytes = capacity};
  ASSIGN_OR_RETURN(auto log, ObjectLog::Open(options, *io));
  return std::make_shared<Disk>(Disk{std::move(directory), std::move(io), std::move(log)});
}

bool DiskTier::AwaitOpen(TimePoint deadline) {
  MutexLock lock(mutex_);
  opened_.WaitUntil(mutex_, deadline, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return disk_ != nullptr || unusable_;
  });
  return disk_ != nullptr;
}

bool DiskTier::unusable() const {
  MutexLock lock(mutex_);
  return unusable_;
}

std::shared_ptr<DiskTier::Disk> DiskTier::Get() const {
  MutexLock lock(mutex_);
  return disk_;
}

std::string DiskTier::id() const {
  const auto disk = Get();
  // With the host: a machine's image may have been copied, directory and all.
  return disk == nullptr ? "" : fmt::format("{} {}", host_, disk->directory.id());
}

std::vector<StoredObject> DiskTier::Objects() const {
  const auto disk = Get();
  return disk == nullptr ? std::vector<StoredObject>() : disk->log->All();
}

bool DiskTier::Holds(uint64_t generation) const {
  const auto disk = Get();
  return disk != nullptr && disk->log->Find(generation).has_value();
}

absl::StatusOr<transfer::ExtentHost::DiskReader> DiskTier::OpenForRead(
    const transfer::Extent& extent) const {
  std::shared_ptr<Disk> disk = Get();
  const auto object = disk == nullptr ? std::nullopt : disk->log->Find(extent.generation);
  if (!object || object->size != extent.length) {
    return absl::NotFoundError("the disk does not hold that object any more");
  }
  // What is called in the end must not keep the log: that waits for it to return.
  return [disk = std::move(disk), generation = extent.generation,
          &read_bytes = counters_.read_bytes, &failed_reads = counters_.failed_reads](
             uint64_t position, transfer::WritableBytes destination,
             std::function<void(absl::Status)> done) {
    const std::span<std::byte> bytes = destination.bytes;
    disk->log->Read(generation, position, bytes,
                    [&read_bytes, &failed_reads, destination = std::move(destination),
                     done = std::move(done)](absl::Status status) {
                      if (status.ok()) {
                        read_bytes.Increment(static_cast<double>(destination.bytes.size()));
                      } else {
                        failed_reads.Increment();
                      }
                      done(std::move(status));
                    });
  };
}

std::shared_ptr<DiskTier::Ending> DiskTier::Run(std::function<absl::Status(Disk& disk)> task) {
  auto ending = std::make_shared<Ending>();
  MutexLock lock(mutex_);
  tasks_->Submit([this, ending, disk = disk_, task = std::move(task)] {
    absl::Status status = task(*disk);
    ShowUse(*disk);
    ending->Set(std::move(status));
  });
  return ending;
}

void DiskTier::ShowUse(const Disk& disk) {
  counters_.objects.Set(static_cast<double>(disk.log->size()));
  counters_.used_bytes.Set(static_cast<double>(disk.log->used()));
}

DiskTier::Stored DiskTier::Store(const std::vector<StoredObject>& objects, const OpenBytes& open) {
  Stored result;
  if (!is_open()) return result;
  {
    // Before their bytes are opened: what is forgotten from here on is marked, what was before
    // cannot be opened.
    MutexLock lock(mutex_);
    for (const StoredObject& object : objects) storing_[object.generation] = false;
  }
  std::vector<transfer::ReadableBytes> holds;
  std::vector<ObjectLog::Write> writes;
  for (size_t i = 0; i < objects.size(); ++i) {
    auto bytes = open(i);
    if (!bytes.ok() || bytes->bytes.size() < objects[i].size) continue;
    writes.push_back({objects[i], bytes->bytes.first(objects[i].size)});
    holds.push_back(*std::move(bytes));
  }
  const auto ending = Run([&](Disk& disk) {
    {
      MutexLock lock(mutex_);
      std::erase_if(writes, [this](const ObjectLog::Write& write) ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return storing_.at(write.object.generation);
      });
    }
    std::vector<StoredObject> dropped;
    const std::vector<absl::Status> statuses = disk.log->Store(writes, &dropped);
    for (size_t i = 0; i < writes.size(); ++i) {
      if (statuses[i].ok()) {
        result.stored.push_back(writes[i].object.generation);
        counters_.written_bytes.Increment(static_cast<double>(writes[i].object.size));
      } else {
        counters_.failed_writes.Increment();
        spdlog::debug("{} is not stored on disk: {}", writes[i].object.key,
                      std::string(statuses[i].message()));
      }
    }
    for (const StoredObject& object : dropped) result.dropped.push_back(object.generation);
    // A batch that is larger than the disk may drop what it has just written.
    std::erase_if(result.stored, [&](uint64_t generation) { return !disk.log->Find(generation); });
    MutexLock lock(mutex_);
    storing_.clear();
    return absl::OkStatus();
  });
  // The memory is the disk's until it has let go of it, however long that takes.
  while (absl::IsDeadlineExceeded(ending->Wait(Clock::Real().Now() + kComplainEvery))) {
    spdlog::warn("the disk has not stored {} objects in {} s", writes.size(),
                 Seconds(kComplainEvery));
  }
  return result;
}

absl::Status DiskTier::Remove(const std::vector<uint64_t>& generations, TimePoint deadline) {
  const auto disk = Get();
  if (disk == nullptr || generations.empty()) return absl::OkStatus();
  bool any = false;
  {
    MutexLock lock(mutex_);
    for (const uint64_t generation : generations) {
      const auto storing = storing_.find(generation);
      if (storing != storing_.end()) storing->second = true;
      if (storing == storing_.end() && !removing_.contains(generation) &&
          !disk->log->Find(generation)) {
        continue;
      }
      removing_.insert(generation);
      any = true;
    }
    if (removing_.empty()) return absl::OkStatus();
  }
  const auto ending = Run([this](Disk& opened) {
    std::vector<uint64_t> removing;
    {
      MutexLock lock(mutex_);
      removing.assign(removing_.begin(), removing_.end());
    }
    RETURN_IF_ERROR(opened.log->Remove(removing));
    MutexLock lock(mutex_);
    for (const uint64_t generation : removing) removing_.erase(generation);
    return absl::OkStatus();
  });
  return any ? ending->Wait(deadline) : absl::OkStatus();
}

HeardThrough DiskTier::heard_through() const {
  MutexLock lock(mutex_);
  return heard_;
}

void DiskTier::NoteHeardThrough(const HeardThrough& heard) {
  MutexLock lock(mutex_);
  if (disk_ == nullptr || noting_ || heard == heard_ || disk_->log->size() == 0 ||
      Clock::Real().Now() < note_again_at_) {
    return;
  }
  noting_ = true;
  tasks_->Submit([this, heard, disk = disk_] {
    const absl::Status written = WriteHeard(*disk, heard);
    MutexLock ending(mutex_);
    noting_ = false;
    note_again_at_ = Clock::Real().Now() + kNoteEvery;
    if (written.ok()) heard_ = heard;
    const bool failed = !written.ok() && !absl::IsFailedPrecondition(written);
    if (failed && !note_failed_) {
      spdlog::warn("{}; a successor's objects may be refused", std::string(written.message()));
    }
    note_failed_ = failed;
  });
}

absl::Status DiskTier::WriteHeard(const Disk& disk, const HeardThrough& heard) {
  {
    MutexLock lock(mutex_);
    if (!removing_.empty()) return absl::FailedPreconditionError("a removal has not ended");
  }
  if (!disk.log->IsComplete()) return absl::FailedPreconditionError("a removed object may be left");
  return WriteHeardThrough(disk.directory.path(), heard);
}

}  // namespace tandem::store
