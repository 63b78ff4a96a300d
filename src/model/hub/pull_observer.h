#pragma once

#include <cstdint>
#include <string>

namespace tandem::model::hub {

/// How far a pull is. Bytes and files are those selected, whether fetched now or there before.
struct PullProgress {
  size_t files = 0, files_done = 0;
  int64_t bytes = 0, bytes_done = 0;
  std::string file;  ///< One that is arriving; empty if none is.
};

/// Told how a pull goes, on the thread that pulls: it should return soon.
class PullObserver {
 public:
  virtual ~PullObserver() = default;
  /// Called several times a second.
  virtual void OnProgress(const PullProgress& progress) = 0;
  /// Something that delays the pull, in one line: a broken connection, a wait.
  virtual void OnNotice(const std::string& text) = 0;
};

}  // namespace tandem::model::hub
