#include "transfer/stream_requester.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/host_port.h"

namespace tandem::transfer {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Enough to fill a fast network's round trip with messages of 1 MiB, and a batch of small ones.
constexpr uint64_t kMaxBytesInFlight = 16 * kMaxMessageBytes;
constexpr size_t kMaxInFlight = 64;
constexpr Duration kConnectTimeout = std::chrono::seconds(5);
constexpr Duration kStuckAfter = std::chrono::seconds(2);
constexpr Duration kWatchInterval = std::chrono::milliseconds(500);

}  // namespace

StreamRequester::StreamRequester(asio::io_context& context, const TlsContext& tls,
                                 std::string token, Peer peer, std::function<void()> ended)
    : token_(std::move(token)),
      peer_(std::move(peer)),
      stream_(tcp::socket(context), tls),
      timer_(context),
      ended_(std::move(ended)),
      last_reply_(Clock::Real().Now()) {
  const absl::StatusOr<HostPort> named = ParseHostPort(peer_.endpoint);
  stream_.ExpectHost(named.ok() ? named->host : peer_.endpoint);
}

void StreamRequester::Start() {
  timer_.expires_after(kConnectTimeout);
  timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
    if (error || self->ready_) return;
    self->Drop(absl::UnavailableError(
        fmt::format("{} does not shake hands in time", self->peer_.endpoint)));
  });
  tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), peer_.address.get(), peer_.address.length);
  endpoint.resize(peer_.address.length);
  stream_.socket().async_connect(endpoint, [self = shared_from_this()](const ErrorCode& error) {
    if (self->dropped_) return;
    if (error) {
      return self->Drop(absl::UnavailableError(
          fmt::format("cannot connect to {}: {}", self->peer_.endpoint, error.message())));
    }
    self->stream_.SetSocketOptions();
    self->stream_.Handshake(ByteStream::End::kClient, [self](const ErrorCode& failure) {
      if (self->dropped_) return;
      if (!failure) return self->SayHello();
      self->Drop(absl::UnavailableError(fmt::format(
          "cannot connect to {}: {}", self->peer_.endpoint, self->stream_.Describe(failure))));
    });
  });
}

void StreamRequester::SayHello() {
  auto hello = std::make_shared<const std::string>(PackHello(token_));
  stream_.Write({asio::buffer(*hello)}, [self = shared_from_this(), hello](const ErrorCode& error) {
    if (error && !self->dropped_) self->Drop(self->Broken(error));
  });
  ReadReply();
}

void StreamRequester::Submit(std::vector<OutgoingRequest> requests) {
  if (in_flight_.empty() && queue_.empty()) last_reply_ = Clock::Real().Now();
  for (OutgoingRequest& request : requests) {
    queue_.push_back(std::make_shared<OutgoingRequest>(std::move(request)));
  }
  Pump();
}

bool StreamRequester::IsStuck() const {
  return !in_flight_.empty() && Clock::Real().Now() - last_reply_ > kStuckAfter;
}

void StreamRequester::Watch() {
  if (watching_ || dropped_ || !ready_ || in_flight_.empty()) return;
  watching_ = true;
  timer_.expires_after(kWatchInterval);
  timer_.async_wait([self = shared_from_this()](const ErrorCode&) {
    self->watching_ = false;
    // Of a host that vanished TCP says nothing for hours, and others want the buffers.
    if (!self->IsStuck() || self->IsAwaited()) return self->Watch();
    self->Drop(absl::UnavailableError(
        fmt::format("{} has fallen silent, and nobody waits for it", self->peer_.endpoint)));
  });
}

bool StreamRequester::IsAwaited() const {
  const auto awaited = [](const RequestPointer& request) {
    // What a peer is to forget nobody waits for.
    return request->header.kind != RequestKind::kForget && !request->transfer->cancelled();
  };
  return std::any_of(queue_.begin(), queue_.end(), awaited) ||
         std::any_of(in_flight_.begin(), in_flight_.end(),
                     [&](const auto& entry) { return awaited(entry.second); });
}

void StreamRequester::Pump() {
  if (ready_ && !dropped_ && !sending_) Send();
}

void StreamRequester::Send() {
  // What may be sent now in one go, but no more than stays in the caches.
  size_t bytes = 0;
  std::vector<RequestPointer> batch;
  auto frames = std::make_shared<std::deque<std::string>>();
  std::vector<asio::const_buffer> buffers;
  while (!queue_.empty() && in_flight_.size() < kMaxInFlight &&
         bytes_in_flight_ < kMaxBytesInFlight && bytes < kMaxMessageBytes) {
    const RequestPointer request = std::move(queue_.front());
    queue_.pop_front();
    if (request->transfer->cancelled()) {
      request->End(absl::CancelledError("the transfer was given up"));
      continue;
    }
    request->MakeChecksum();
    const uint64_t body_bytes = request->body_bytes();
    bytes += body_bytes;
    request->weight = body_bytes + request->destination.bytes.size();
    bytes_in_flight_ += request->weight;
    request->header.id = next_id_++;
    in_flight_[request->header.id] = request;
    frames->push_back(PackFrame(RequestFrame{request->header, body_bytes}));
    buffers.push_back(asio::buffer(frames->back()));
    buffers.emplace_back(request->source.bytes.data(), request->source.bytes.size());
    for (const ReadableBytes& part : request->more) {
      buffers.emplace_back(part.bytes.data(), part.bytes.size());
    }
    batch.push_back(request);
  }
  if (batch.empty()) return;
  Watch();
  sending_ = true;
  // The buffers are the requests', which stay for as long as this may read them.
  stream_.Write(buffers, [self = shared_from_this(), frames,
                          batch = std::move(batch)](const ErrorCode& error) {
    self->sending_ = false;
    for (const RequestPointer& request : batch) request->sent = true;
    if (self->dropped_) return;
    if (error) return self->Drop(self->Broken(error));
    self->Pump();
  });
}

void StreamRequester::ReadReply() {
  stream_.Read(frame_, [self = shared_from_this()](const ErrorCode& error) {
    if (self->dropped_) return;
    if (error) return self->Drop(self->Broken(error));
    const auto reply = UnpackReplyFrame(self->frame_);
    if (reply.ok()) return self->OnReply(*reply);
    self->Drop(absl::UnavailableError(
        fmt::format("{} sends {}", self->peer_.endpoint, std::string(reply.status().message()))));
  });
}

void StreamRequester::OnReply(const ReplyFrame& reply) {
  last_reply_ = Clock::Real().Now();
  if (reply.header.id == 0 && !ready_) {
    if (reply.header.code != absl::StatusCode::kOk) return ReadText(reply, nullptr);
    ready_ = true;
    timer_.cancel();
    ReadReply();
    return Pump();
  }
  const auto found = in_flight_.find(reply.header.id);
  if (found == in_flight_.end()) {
    return Drop(
        absl::UnavailableError(fmt::format("{} answers what it was not asked", peer_.endpoint)));
  }
  const RequestPointer request = found->second;
  if (reply.header.code != absl::StatusCode::kOk) return ReadText(reply, request);
  if (reply.body_bytes != request->destination.bytes.size()) {
    return Drop(absl::DataLossError("a reply of another length than was asked for"));
  }
  stream_.Read(request->destination.bytes,
               [self = shared_from_this(), request](const ErrorCode& error) {
                 if (self->dropped_) return;
                 if (error) return self->Drop(self->Broken(error));
                 self->last_reply_ = Clock::Real().Now();
                 self->End(request, absl::OkStatus());
                 self->ReadReply();
               });
}

void StreamRequester::ReadText(const ReplyFrame& reply, const RequestPointer& request) {
  auto text = std::make_shared<std::string>(reply.body_bytes, '\0');
  stream_.Read(
      std::as_writable_bytes(std::span(*text)),
      [self = shared_from_this(), text, request, code = reply.header.code](const ErrorCode& error) {
        if (self->dropped_) return;
        if (error) return self->Drop(self->Broken(error));
        const absl::Status status(code, fmt::format("{}: {}", self->peer_.endpoint, *text));
        if (request == nullptr) return self->Drop(status);
        self->End(request, status);
        self->ReadReply();
      });
}

void StreamRequester::End(const RequestPointer& request, const absl::Status& status) {
  if (in_flight_.erase(request->header.id) > 0) bytes_in_flight_ -= request->weight;
  request->End(status);
  Pump();
}

void StreamRequester::Drop(const absl::Status& reason) {
  if (std::exchange(dropped_, true)) return;
  timer_.cancel();
  // What is being sent and received holds on to its buffers until it has ended.
  stream_.Close();
  const auto queue = std::exchange(queue_, {});
  const auto in_flight = std::exchange(in_flight_, {});
  for (const RequestPointer& request : queue) End(request, reason);
  for (const auto& [id, request] : in_flight) End(request, reason);
  if (const auto ended = std::exchange(ended_, nullptr)) ended();
}

absl::Status StreamRequester::Broken(const ErrorCode& error) const {
  return absl::UnavailableError(
      fmt::format("the connection to {} broke: {}", peer_.endpoint, error.message()));
}

}  // namespace tandem::transfer
