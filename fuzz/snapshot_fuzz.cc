// A master's snapshot and journal, however they were damaged: what is taken from them keeps the
// accounts of space right.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/master/master.h"
#include "store/master/snapshot_store.h"

namespace {

using namespace tandem;

void Write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// Whatever a snapshot says, no space is left taken once its objects are gone.
void Serve(const store::proto::Snapshot& snapshot) {
  MetricRegistry registry;
  store::MasterMetrics metrics(registry);
  FakeClock clock;
  store::Master master({.first_generation = 1000}, metrics, clock);
  master.StopWaiting();
  master.Restore(snapshot);
  (void)master.TakeSnapshot();
  store::proto::RemoveAllRequest all;
  all.set_force(true);
  master.RemoveAll(all);
  clock.Advance(std::chrono::hours(1));
  master.Maintain();
  const store::PoolUsage usage = master.usage();
  if (usage.keys != 0 || usage.allocated_bytes != 0) __builtin_trap();
}

std::unique_ptr<store::SnapshotStore> Open(const std::string& directory) {
  std::filesystem::remove_all(directory);
  auto store = store::SnapshotStore::Open(directory, "c");
  if (!store.ok()) __builtin_trap();
  return *std::move(store);
}

}  // namespace

/// Input: a byte that says how much of the rest is the journal, the journal, and the snapshot's
/// bytes, to which the checksum is added.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spdlog::set_level(spdlog::level::off);
  if (size == 0) return 0;
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t journal = std::min<size_t>(size - 1, data[0]);
  const std::string bytes = input.substr(1 + journal);
  const uint64_t checksum = Checksum64(std::as_bytes(std::span(bytes)));
  static const std::string directory = "/tmp/snapshot_fuzz." + std::to_string(getpid());
  // Opened once, as that syncs the disk.
  static const std::unique_ptr<store::SnapshotStore> store = Open(directory);
  Write(directory + "/c.removals.1", input.substr(1, journal));
  Write(directory + "/c.snapshot", input);  // whose checksum is wrong
  (void)store->Load();
  Write(directory + "/c.snapshot",
        std::string(reinterpret_cast<const char*>(&checksum), sizeof(checksum)) + bytes);
  const auto snapshot = store->Load();
  if (snapshot.ok()) Serve(*snapshot);
  return 0;
}
