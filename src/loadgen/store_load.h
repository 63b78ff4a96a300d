#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "store/client/store_client.h"

namespace tandem::loadgen {

struct StoreLoadOptions {
  std::vector<uint64_t> object_bytes = {4096, 1 << 20, 14 << 20};
  uint64_t bytes_per_pass =
      64 << 20;             ///< Put or got in one pass, at least one object of each size.
  int most_objects = 4096;  ///< In one pass.
  int batch = 16;           ///< Keys in one call.
  Duration least_time = std::chrono::milliseconds(500);  ///< Passes are repeated for that long.
};

/// How fast objects of one size went one way.
struct StoreFigure {
  std::string way;  ///< "put, own segment"
  uint64_t object_bytes = 0;
  uint64_t objects = 0;
  double seconds = 0;
};

/// The keys of one pass over objects of one size.
std::vector<std::string> StoreKeys(const StoreLoadOptions& options, const std::string& prefix,
                                   uint64_t object_bytes);

/// Puts objects of each size on `segment` (empty: the client's own) under keys of `prefix`, and
/// leaves the last pass there. The first pass is not counted: it touches fresh memory. Fails with
/// the first object that cannot be put.
absl::StatusOr<std::vector<StoreFigure>> MeasurePuts(store::StoreClient& client,
                                                     const StoreLoadOptions& options,
                                                     const std::string& way,
                                                     const std::string& prefix,
                                                     const std::string& segment);

/// Gets what MeasurePuts left, each object copied into a buffer.
absl::StatusOr<std::vector<StoreFigure>> MeasureGets(store::StoreClient& client,
                                                     const StoreLoadOptions& options,
                                                     const std::string& way,
                                                     const std::string& prefix);

/// Removes what MeasurePuts left.
void RemoveObjects(store::StoreClient& client, const StoreLoadOptions& options,
                   const std::string& prefix);

}  // namespace tandem::loadgen
