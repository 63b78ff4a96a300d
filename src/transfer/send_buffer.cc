#include "transfer/send_buffer.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace tandem::transfer {
namespace {

// The system doubles it for its own needs, after it has cut it to net.core.wmem_max.
constexpr int kNearBytes = 256 << 10;

}  // namespace

Duration ShortestRoundTrip(int socket) {
  tcp_info info{};
  socklen_t length = sizeof(info);
  const bool told = getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
                    length >= offsetof(tcp_info, tcpi_min_rtt) + sizeof(info.tcpi_min_rtt);
  // All ones before the first.
  if (!told || info.tcpi_min_rtt == ~uint32_t{0}) return Duration::max();
  return std::chrono::microseconds(info.tcpi_min_rtt);
}

bool LimitSendBuffer(int socket) {
  if (ShortestRoundTrip(socket) > kNearRoundTrip) return false;
  return setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kNearBytes, sizeof(kNearBytes)) == 0;
}

}  // namespace tandem::transfer
