// What the ways that bytes move can do: memcpy as the limit, a pinned read of mapped memory, and
// streams over the loopback between two transports of this process.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <vector>

#include "transfer/shared_memory_peer.h"
#include "transfer/shared_memory_server.h"
#include "transfer/transport.h"

namespace tandem::transfer {
namespace {

constexpr uint64_t kSegment = 64 << 20;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

/// Lets everybody read and write everything.
class OpenHost : public ExtentHost {
 public:
  explicit OpenHost(std::shared_ptr<const MemoryRegion> region) : region_(std::move(region)) {}
  absl::StatusOr<ReadableBytes> OpenForRead(const Extent& extent) override {
    return ReadableBytes{region_->bytes().subspan(extent.offset, extent.length), region_};
  }
  absl::StatusOr<WritableBytes> OpenForWrite(const Extent& extent) override {
    return WritableBytes{region_->bytes().subspan(extent.offset, extent.length), region_};
  }
  absl::Status Publish(const HeldObject&) override { return absl::OkStatus(); }
  absl::Status PublishChecked(const HeldObject&) override { return absl::OkStatus(); }
  absl::Status CheckGrant(const Extent&, Access, const ExtentGrant&) override {
    return absl::OkStatus();
  }
  void Forget(const Extent&) override {}

 private:
  const std::shared_ptr<const MemoryRegion> region_;
};

std::shared_ptr<const MemoryRegion> MakeSegment() {
  std::shared_ptr<const MemoryRegion> region = *MemoryRegion::Create(kSegment);
  std::memset(region->bytes().data(), 1, kSegment);
  return region;
}

WritableBytes MakeBuffer(size_t size) {
  auto buffer = std::make_shared<std::vector<std::byte>>(size);
  return {std::span(*buffer), buffer};
}

void Count(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void Memcpy(benchmark::State& state) {
  const auto region = MakeSegment();
  const WritableBytes target = MakeBuffer(state.range(0));
  for (auto _ : state) {
    std::memcpy(target.bytes.data(), region->bytes().data(), target.bytes.size());
    benchmark::ClobberMemory();
  }
  Count(state);
}

void PinnedRead(benchmark::State& state) {
  const auto region = MakeSegment();
  OpenHost host(region);
  const auto server = *SharedMemoryServer::Start(region, host);
  const auto peer = *SharedMemoryPeer::Connect(server->socket_name(), In(std::chrono::seconds(5)));
  const WritableBytes target = MakeBuffer(state.range(0));
  for (auto _ : state) {
    const auto pinned = peer->Pin({{0, target.bytes.size(), 1}}, In(std::chrono::seconds(5)));
    std::memcpy(target.bytes.data(), pinned[0]->bytes.data(), target.bytes.size());
  }
  Count(state);
}

/// Arguments: bytes of a transfer, connections.
template <bool kRead>
void Loopback(benchmark::State& state) {
  const auto region = MakeSegment();
  OpenHost host(region);
  const int connections = static_cast<int>(state.range(1));
  const auto owner =
      *Transport::Create({.hostname = "127.0.0.1", .connections = connections}, host);
  const auto peer = *Transport::Create(
      {.hostname = "127.0.0.1", .listen = false, .connections = connections}, host);
  const WritableBytes buffer = MakeBuffer(state.range(0));
  const Extent extent{0, buffer.bytes.size(), 1};
  for (auto _ : state) {
    const auto transfer =
        kRead ? peer->Read(owner->endpoint(), {{extent, buffer}})
              : peer->Write(owner->endpoint(), {{extent, {buffer.bytes, buffer.hold}}});
    const absl::Status status =
        transfer->Wait(In(std::chrono::seconds(30)), std::chrono::seconds(10));
    if (!status.ok()) {
      state.SkipWithError(status.ToString().c_str());
      break;
    }
  }
  Count(state);
}

BENCHMARK(Memcpy)->Arg(4 << 10)->Arg(1 << 20)->Arg(14 << 20)->UseRealTime();
BENCHMARK(PinnedRead)->Arg(4 << 10)->Arg(1 << 20)->Arg(14 << 20)->UseRealTime();
BENCHMARK(Loopback<true>)
    ->Name("LoopbackRead")
    ->ArgsProduct({{4 << 10, 1 << 20, 14 << 20}, {1, 2, 4}})
    ->UseRealTime();
BENCHMARK(Loopback<false>)
    ->Name("LoopbackWrite")
    ->ArgsProduct({{4 << 10, 1 << 20, 14 << 20}, {1, 2, 4}})
    ->UseRealTime();

}  // namespace
}  // namespace tandem::transfer

BENCHMARK_MAIN();
