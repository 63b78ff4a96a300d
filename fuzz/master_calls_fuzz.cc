// Sequences of calls to the master: whatever clients ask for, its accounts of space stay right.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/master/master.h"

namespace {

using namespace tandem;

template <typename Request>
Request Parse(const uint8_t* data, size_t size) {
  Request request;
  (void)request.ParseFromArray(data, static_cast<int>(size));
  return request;
}

void Call(store::Master& master, FakeClock& clock, int which, const uint8_t* data, size_t size) {
  using namespace store::proto;
  switch (which % 18) {
    case 0:
      master.MountSegment(Parse<MountSegmentRequest>(data, size));
      return;
    case 1:
      master.UnmountSegment(Parse<UnmountSegmentRequest>(data, size));
      return;
    case 2:
      master.RegisterObjects(Parse<RegisterObjectsRequest>(data, size));
      return;
    case 3:
      master.PutStart(Parse<PutStartRequest>(data, size));
      return;
    case 4:
      master.PutEnd(Parse<PutEndRequest>(data, size));
      return;
    case 5:
      master.PutRevoke(Parse<PutRevokeRequest>(data, size));
      return;
    case 6:
      master.GetReplicas(Parse<GetReplicasRequest>(data, size));
      return;
    case 7:
      master.Remove(Parse<RemoveRequest>(data, size));
      return;
    case 8:
      master.RemoveByRegex(Parse<RemoveByRegexRequest>(data, size));
      return;
    case 9:
      master.Ping(Parse<PingRequest>(data, size));
      return;
    case 10:
      master.ConfirmRemovals(Parse<ConfirmRemovalsRequest>(data, size));
      return;
    case 12:
      master.Offload(Parse<OffloadRequest>(data, size));
      return;
    case 13:
      master.Exist(Parse<KeysRequest>(data, size));
      return;
    case 14:
      master.RemoveAll(Parse<RemoveAllRequest>(data, size));
      return;
    case 15:
      master.ReportLostReplicas(Parse<ReportLostReplicasRequest>(data, size));
      return;
    case 16:
      master.ListKeys(Parse<ListKeysRequest>(data, size));
      return;
    case 17:
      master.ListSegments(Parse<ListSegmentsRequest>(data, size));
      (void)master.TakeSnapshot();
      return;
    default:
      clock.Advance(std::chrono::seconds(size));
      master.Maintain();
  }
}

}  // namespace

/// Input: calls, each a byte that chooses it, a byte of length and that many bytes of its request.
/// The first bit of all says whether objects may go to disk.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spdlog::set_level(spdlog::level::off);
  MetricRegistry registry;
  store::MasterMetrics metrics(registry);
  FakeClock clock;
  store::MasterOptions options{.first_generation = 1000};
  if (size > 0 && (data[0] & 0x80) != 0) options.offload_directory = "/data";
  store::Master master(options, metrics, clock);
  master.StopWaiting();  // whatever the calls ask for
  while (size >= 2) {
    const size_t length = std::min<size_t>(data[1], size - 2);
    Call(master, clock, data[0] & 0x7f, data + 2, length);
    data += 2 + length;
    size -= 2 + length;
  }
  // With every put over and every object removed, no space is taken.
  clock.Advance(std::chrono::hours(1));
  master.Maintain();
  store::proto::RemoveAllRequest all;
  all.set_force(true);
  master.RemoveAll(all);
  const store::PoolUsage usage = master.usage();
  if (usage.keys != 0 || usage.allocated_bytes != 0) __builtin_trap();
  if (usage.disk_keys != 0 || usage.disk_bytes != 0) __builtin_trap();
  return 0;
}
