#pragma once

#include <string>
#include <string_view>

#include "base/scoped_fd.h"

namespace tandem::http {

/// A plain TCP connection to 127.0.0.1, for tests that say things no proper client says. Every wait
/// ends after ten seconds.
class RawConnection {
 public:
  explicit RawConnection(int port);

  void Send(std::string_view bytes);
  /// What has come when `text` has come, or all there is when the peer closes or is silent.
  std::string ReadUntil(std::string_view text);
  /// Everything up to the peer's end. Fails the test if the peer does not end.
  std::string ReadAll();
  void Close() { fd_.Reset(); }

 private:
  bool ReadSome();

  ScopedFd fd_;
  std::string read_;
};

}  // namespace tandem::http
