#include "store/proto/remote_socket.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/strings/numbers.h"
#include "base/host_lookup.h"
#include "base/host_port.h"
#include "base/status.h"
#include "base/tcp_connect.h"
#include "store/proto/call_frame.h"

namespace tandem::store {
namespace {

constexpr uint32_t kHello = 0x01'6c'68'74;  // "thl", version 1
constexpr size_t kMaxTokenBytes = 4096;
constexpr Duration kHelloTimeout = std::chrono::seconds(5);
/// A firewall may let gRPC's port through only. What that costs must be seldom.
constexpr Duration kConnectTimeout = std::chrono::milliseconds(300);
constexpr Duration kAfterSilence = std::chrono::seconds(30),
                   kAfterRefusal = std::chrono::seconds(1);
/// A host that vanished is noticed as soon as over gRPC.
constexpr int kSilentMilliseconds = 4000;

void SetOptions(const ScopedFd& socket) {
  const auto set = [&](int level, int name, int value) {
    setsockopt(socket.get(), level, name, &value, sizeof(value));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, kSilentMilliseconds);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 2);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 1);
}

}  // namespace

RemoteConnector::RemoteConnector(const std::string& host, TlsContext tls, BearerToken token)
    : host_(WithoutBrackets(host)), tls_(std::move(tls)), token_(std::move(token)) {}

void RemoteConnector::SetPort(std::string_view text) {
  int port = 0;
  if (!absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &port) || port < 1 ||
      port > 65535) {
    port = 0;
  }
  if (port_.load(std::memory_order_relaxed) != port) port_.store(port, std::memory_order_relaxed);
}

bool RemoteConnector::Introduce(CallSocket& socket, TimePoint deadline) {
  // Who it is must be known before it is shown the token.
  if (tls_ != nullptr && !socket.ConnectTls(tls_, host_, deadline).ok()) return false;
  if (!SendFrame(socket, kHello, token_.secret(), deadline).ok()) return false;
  const auto reply = ReceiveFrame(socket, deadline, kMaxTokenBytes);
  return reply.ok() && reply->tag == kHello;
}

CallSocket RemoteConnector::Connect(TimePoint deadline) {
  const int port = port_.load(std::memory_order_relaxed);
  const TimePoint now = Clock::Real().Now();
  if (port == 0 || now < not_before_.load(std::memory_order_relaxed)) return CallSocket();
  const TimePoint give_up = std::min(deadline, now + kConnectTimeout);
  CallSocket socket(ConnectTcp(host_, port, give_up));
  if (socket.valid()) {
    SetOptions(socket.descriptor());
    if (Introduce(socket, give_up)) return socket;
  }
  // Others may listen there by now: they shall not be shown the token again.
  port_.store(0, std::memory_order_relaxed);
  const TimePoint failed = Clock::Real().Now();
  not_before_.store(failed + (failed < give_up ? kAfterRefusal : kAfterSilence),
                    std::memory_order_relaxed);
  return CallSocket();
}

absl::StatusOr<RemoteListener> ListenRemotely(const std::string& address) {
  ASSIGN_OR_RETURN(const HostAddresses found,
                   LookUpHost(WithoutBrackets(address), 0, Clock::Real().Now() + kNameServiceTime));
  RemoteListener listener;
  listener.socket = ScopedFd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage bound{};
  socklen_t length = sizeof(bound);
  if (!listener.socket.valid() ||
      bind(listener.socket.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      listen(listener.socket.get(), 64) != 0 ||
      getsockname(listener.socket.get(), reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot listen for calls on {}", address));
  }
  listener.port =
      ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                        : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  return listener;
}

bool AdmitRemote(CallSocket& socket, const TlsContext& tls, const BearerToken& token) {
  SetOptions(socket.descriptor());
  const TimePoint deadline = Clock::Real().Now() + kHelloTimeout;
  if (tls != nullptr && !socket.AcceptTls(tls, deadline).ok()) return false;
  const auto hello = ReceiveFrame(socket, deadline, kMaxTokenBytes);
  if (!hello.ok() || hello->tag != kHello) return false;
  const absl::Status allowed = token.CheckSecret(hello->payload);
  const uint32_t answer = allowed.ok() ? kHello : static_cast<uint32_t>(allowed.code());
  const std::string why(allowed.message());
  return SendFrame(socket, answer, why, deadline).ok() && allowed.ok();
}

}  // namespace tandem::store
