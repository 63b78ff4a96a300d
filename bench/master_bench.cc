// The master's metadata with few and with many objects: lookups as a client on this host makes
// them, puts and removes, the memory an object takes, and how long other calls wait while it
// evicts.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "store/master/maintenance.h"
#include "store/master/master.h"
#include "store/master/master_service.h"
#include "store/proto/master_client.h"

namespace tandem::store {
namespace {

constexpr uint64_t kObjectBytes = 4096;
constexpr int kBatch = 32;
constexpr char kClient[] = "0123456789abcdef0123456789abcdef";

std::string Key(int64_t i) { return fmt::format("model@1@0@{:032x}@half", i * 0x9e3779b9); }

/// A master with a segment that holds `objects`, and that many in it.
class FilledMaster {
 public:
  explicit FilledMaster(int64_t objects, double watermark = 1.0, Duration lease = Duration::zero())
      : master_({.lease_ttl = lease,
                 .eviction_high_watermark_ratio = watermark,
                 .client_ttl = std::chrono::hours(1)},
                metrics_, Clock::Real()) {
    proto::MountSegmentRequest mount;
    mount.set_client_id(kClient);
    mount.set_host_budget(uint64_t{1} << 50);
    mount.mutable_segment()->set_name("127.0.0.1:12345");
    mount.mutable_segment()->set_size(uint64_t(objects + 10 * kBatch) * kObjectBytes);
    master_.MountSegment(mount);
    for (int64_t i = 0; i < objects; i += kBatch) {
      Put(i, std::min<int64_t>(kBatch, objects - i), kObjectBytes);
    }
  }

  /// Puts `count` objects from number `first` on.
  void Put(int64_t first, int64_t count, uint64_t size) {
    proto::PutStartRequest start;
    start.set_client_id(kClient);
    for (int64_t i = first; i < first + count; ++i) {
      start.add_keys(Key(i));
      start.add_sizes(size);
    }
    const proto::PutStartResponse started = master_.PutStart(start);
    proto::PutEndRequest end;
    end.set_client_id(kClient);
    for (int i = 0; i < started.results_size(); ++i) {
      if (started.results(i).code() != kOk) continue;
      proto::PutEndItem& item = *end.add_items();
      item.set_key(start.keys(i));
      item.add_generations(started.results(i).extents(0).generation());
    }
    master_.PutEnd(end);
  }

  void Remove(int64_t first, int64_t count) {
    proto::RemoveRequest remove;
    remove.set_force(true);
    for (int64_t i = first; i < first + count; ++i) remove.add_keys(Key(i));
    master_.Remove(remove);
    // As the owner's next ping would.
    proto::PingRequest ping;
    ping.set_client_id(kClient);
    ping.set_forgotten_through(master_.Ping(ping).sequence());
    master_.Ping(ping);
  }

  Master& master() { return master_; }
  MasterMetrics& metrics() { return metrics_; }

 private:
  MetricRegistry registry_;
  MasterMetrics metrics_{registry_};
  Master master_;
};

/// One for each size, as filling takes longer than measuring.
FilledMaster& Filled(int64_t objects) {
  static std::unique_ptr<FilledMaster> filled;
  static int64_t size = 0;
  if (size != objects) {
    filled.reset();
    filled = std::make_unique<FilledMaster>(objects);
    size = objects;
  }
  return *filled;
}

/// Keys in an order that no cache foresees.
class KeyOrder {
 public:
  explicit KeyOrder(int64_t objects) : objects_(objects) {}
  int64_t Next() { return next_ = (next_ + 7919 * 104729) % objects_; }

 private:
  const int64_t objects_;
  int64_t next_ = 0;
};

void GetReplicas(benchmark::State& state, auto call) {
  KeyOrder order(state.range(0));
  for (auto _ : state) {
    proto::GetReplicasRequest request;
    request.set_client_id(kClient);
    for (int i = 0; i < kBatch; ++i) request.add_keys(Key(order.Next()));
    const proto::GetReplicasResponse response = call(request);
    if (response.results_size() != kBatch || response.results(0).code() != kOk) {
      state.SkipWithError("a lookup failed");
    }
  }
  state.counters["keys/s"] = benchmark::Counter(static_cast<double>(state.iterations() * kBatch),
                                                benchmark::Counter::kIsRate);
}

/// A client and the master in processes of their own would be the same: threads and a socket.
void LookUpAsClient(benchmark::State& state) {
  FilledMaster& filled = Filled(state.range(0));
  const auto service = *MasterService::Start({.address = "127.0.0.1"},
                                             ServingMaster::Of(filled.master()), filled.metrics());
  const auto client = *MasterClient::Connect(fmt::format("127.0.0.1:{}", service->port()));
  GetReplicas(state, [&](const proto::GetReplicasRequest& request) {
    return client->GetReplicas(request, Clock::Real().Now() + std::chrono::seconds(5))
        .value_or(proto::GetReplicasResponse());
  });
}

void LookUp(benchmark::State& state) {
  FilledMaster& filled = Filled(state.range(0));
  GetReplicas(state, [&](const proto::GetReplicasRequest& request) {
    return filled.master().GetReplicas(request);
  });
}

void PutAndRemove(benchmark::State& state) {
  FilledMaster& filled = Filled(state.range(0));
  const int64_t first = state.range(0);
  for (auto _ : state) {
    filled.Put(first, kBatch, kObjectBytes);
    filled.Remove(first, kBatch);
  }
  state.counters["keys/s"] = benchmark::Counter(static_cast<double>(state.iterations() * kBatch),
                                                benchmark::Counter::kIsRate);
}

/// Bytes of memory an object takes besides its key.
void Memory(benchmark::State& state) {
  const int64_t objects = state.range(0);
  for (auto _ : state) {
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    const FilledMaster filled(objects);
    const size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    state.counters["bytes/object"] =
        static_cast<double>(after - before) / static_cast<double>(objects) -
        static_cast<double>(Key(0).size());
  }
}

/// How long lookups take while one put after the other has a twentieth of the objects evicted.
void LookUpDuringEviction(benchmark::State& state) {
  const int64_t objects = state.range(0);
  FilledMaster filled(objects, /*watermark=*/0.99);
  const Maintenance maintenance(filled.master());
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int64_t i = 2 * objects; !stop; i += kBatch) filled.Put(i, kBatch, kObjectBytes);
  });
  std::vector<double> milliseconds;
  KeyOrder order(objects);
  for (auto _ : state) {
    proto::KeysRequest request;
    request.add_keys(Key(order.Next()));
    const TimePoint start = Clock::Real().Now();
    benchmark::DoNotOptimize(filled.master().Exist(request));
    milliseconds.push_back(Seconds(Clock::Real().Now() - start) * 1e3);
  }
  stop = true;
  writer.join();
  std::sort(milliseconds.begin(), milliseconds.end());
  state.counters["evicted"] = filled.metrics().evicted_keys.Value();
  state.counters["p99_ms"] = milliseconds[milliseconds.size() * 99 / 100];
  state.counters["longest_ms"] = milliseconds.back();
}

constexpr int64_t kFew = 1000, kMany = 1'000'000;
BENCHMARK(LookUpAsClient)->Arg(kFew)->Arg(kMany)->UseRealTime();
BENCHMARK(LookUp)->Arg(kFew)->Arg(kMany)->UseRealTime();
BENCHMARK(PutAndRemove)->Arg(kFew)->Arg(kMany)->UseRealTime();
BENCHMARK(Memory)->Arg(kMany)->Iterations(1)->Unit(benchmark::kMillisecond);
// As often as it takes for several evictions; each run fills a master anew.
BENCHMARK(LookUpDuringEviction)->Arg(kMany)->Iterations(1'000'000)->UseRealTime();

}  // namespace
}  // namespace tandem::store

BENCHMARK_MAIN();
