// What a master receives where other hosts make calls without gRPC.
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "store/proto/call_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  constexpr size_t kLimit = 4096;
  int ends[2];
  if (size > 64 << 10 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 0;
  const ScopedFd client(ends[0]);
  store::CallSocket master{ScopedFd(ends[1])};
  if (send(client.get(), data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  shutdown(client.get(), SHUT_WR);
  size_t received = 0;
  while (true) {
    const auto frame = store::ReceiveFrame(master, Clock::Real().Now(), kLimit);
    if (!frame.ok()) break;
    received += store::kFrameHeaderBytes + frame->payload.size();
    if (frame->payload.size() > kLimit || received > size) std::abort();
  }
  return 0;
}
