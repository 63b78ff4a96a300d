#include "loadgen/store_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>

#include "base/status.h"

namespace tandem::loadgen {
namespace {

using store::ErrorCode;

constexpr Duration kCallTimeout = std::chrono::seconds(30);

TimePoint Deadline() { return Clock::Real().Now() + kCallTimeout; }

/// Calls `handle` with one batch of `keys` after the other.
absl::Status ForEachBatch(std::span<const std::string> keys, int batch,
                          const std::function<absl::Status(std::span<const std::string>)>& handle) {
  for (size_t i = 0; i < keys.size(); i += batch) {
    RETURN_IF_ERROR(handle(keys.subspan(i, std::min<size_t>(batch, keys.size() - i))));
  }
  return absl::OkStatus();
}

absl::Status Failure(const char* what, const std::string& key, int64_t code) {
  return absl::UnavailableError(
      fmt::format("{} {}: {} ({})", what, key, store::Describe(ErrorCode(code)), code));
}

/// Runs passes until they took `least_time`; the first one is not counted.
absl::StatusOr<StoreFigure> RunPasses(const StoreLoadOptions& options, StoreFigure figure,
                                      size_t objects, const std::function<absl::Status()>& prepare,
                                      const std::function<absl::Status()>& pass) {
  for (bool counted = false; !counted || figure.seconds < Seconds(options.least_time);
       counted = true) {
    RETURN_IF_ERROR(prepare());
    const TimePoint start = Clock::Real().Now();
    RETURN_IF_ERROR(pass());
    if (!counted) continue;
    figure.seconds += Seconds(Clock::Real().Now() - start);
    figure.objects += objects;
  }
  return figure;
}

}  // namespace

std::vector<std::string> StoreKeys(const StoreLoadOptions& options, const std::string& prefix,
                                   uint64_t object_bytes) {
  const uint64_t count = std::clamp<uint64_t>(options.bytes_per_pass / object_bytes, 1,
                                              uint64_t(options.most_objects));
  std::vector<std::string> keys;
  for (uint64_t i = 0; i < count; ++i) {
    keys.push_back(fmt::format("{}/{}/{}", prefix, object_bytes, i));
  }
  return keys;
}

absl::StatusOr<std::vector<StoreFigure>> MeasurePuts(store::StoreClient& client,
                                                     const StoreLoadOptions& options,
                                                     const std::string& way,
                                                     const std::string& prefix,
                                                     const std::string& segment) {
  const store::ReplicateConfig config{.preferred_segment = segment};
  std::vector<StoreFigure> figures;
  for (const uint64_t size : options.object_bytes) {
    const std::vector<std::string> keys = StoreKeys(options, prefix, size);
    const std::vector<std::byte> value(size, std::byte{0x5a});
    const auto put = [&](std::span<const std::string> batch) {
      const std::vector<std::span<const std::byte>> values(batch.size(), value);
      const std::vector<ErrorCode> codes = client.Put(batch, values, config, Deadline());
      for (size_t i = 0; i < codes.size(); ++i) {
        if (codes[i] != store::kOk) return Failure("put", batch[i], codes[i]);
      }
      return absl::OkStatus();
    };
    const auto remove = [&](std::span<const std::string> batch) {
      client.Remove(batch, true, Deadline());
      return absl::OkStatus();
    };
    ASSIGN_OR_RETURN(StoreFigure figure,
                     RunPasses(
                         options, {way, size}, keys.size(),
                         [&] { return ForEachBatch(keys, options.batch, remove); },
                         [&] { return ForEachBatch(keys, options.batch, put); }));
    figures.push_back(std::move(figure));
  }
  return figures;
}

absl::StatusOr<std::vector<StoreFigure>> MeasureGets(store::StoreClient& client,
                                                     const StoreLoadOptions& options,
                                                     const std::string& way,
                                                     const std::string& prefix) {
  std::vector<StoreFigure> figures;
  for (const uint64_t size : options.object_bytes) {
    const std::vector<std::string> keys = StoreKeys(options, prefix, size);
    std::vector<std::vector<std::byte>> memory(options.batch, std::vector<std::byte>(size));
    const std::vector<std::span<std::byte>> buffers(memory.begin(), memory.end());
    const auto get = [&](std::span<const std::string> batch) {
      const std::vector<int64_t> results =
          client.ReadInto(batch, std::span(buffers).first(batch.size()), Deadline());
      for (size_t i = 0; i < results.size(); ++i) {
        if (results[i] != int64_t(size)) return Failure("get", batch[i], results[i]);
      }
      return absl::OkStatus();
    };
    ASSIGN_OR_RETURN(StoreFigure figure,
                     RunPasses(
                         options, {way, size}, keys.size(), [] { return absl::OkStatus(); },
                         [&] { return ForEachBatch(keys, options.batch, get); }));
    figures.push_back(std::move(figure));
  }
  return figures;
}

void RemoveObjects(store::StoreClient& client, const StoreLoadOptions& options,
                   const std::string& prefix) {
  for (const uint64_t size : options.object_bytes) {
    client.Remove(StoreKeys(options, prefix, size), true, Deadline());
  }
}

}  // namespace tandem::loadgen
