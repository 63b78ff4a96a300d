#pragma once

#include <span>
#include <string>
#include <vector>

#include "store/client/object_writer.h"

namespace tandem::store {

/// A put of many objects, lot by lot: while one lot is written the master finds room for the next
/// and publishes the last, so that with small objects neither waits for the other. For one thread.
class BatchPut {
 public:
  /// As ObjectWriter::Put; there are as many values as keys, and all outlive this.
  BatchPut(ObjectWriter& writer, std::span<const std::string> keys, std::span<const Parts> values,
           const ReplicateConfig& config, TimePoint deadline)
      : writer_(writer), keys_(keys), values_(values), config_(config), deadline_(deadline) {}

  std::vector<ErrorCode> Run();

 private:
  struct Lot {
    size_t first = 0;             // of the batch
    std::vector<uint64_t> sizes;  // none behind the last lot
    uint64_t bytes = 0;
    ObjectWriter::Places places;
    ObjectWriter::Pending objects;
    std::vector<size_t> filled;  // places in the batch
    ObjectWriter::Ending ending;
  };

  /// Asks for room for the lot that begins there.
  Lot Ask(size_t first);
  void Place(Lot& lot);
  /// Has the owners hold the objects, and tells the master.
  void Write(Lot& lot);
  void Finish(Lot& lot);

  ObjectWriter& writer_;
  const std::span<const std::string> keys_;
  const std::span<const Parts> values_;
  const ReplicateConfig& config_;
  const TimePoint deadline_;
  std::vector<ErrorCode> codes_;
};

}  // namespace tandem::store
