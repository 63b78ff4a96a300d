#include "transfer/stream_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "transfer/peer_requests.h"

namespace tandem::transfer {
namespace {

namespace asio = boost::asio;

constexpr Duration kHandshakeTimeout = std::chrono::seconds(5);
/// A peer that neither sends the rest of what it began nor takes what it asked for is not waited
/// for: extents are held meanwhile.
constexpr Duration kStalledAfter = std::chrono::seconds(30);
constexpr Duration kWatchInterval = std::chrono::seconds(5);
constexpr size_t kMaxWaitingReplies = 64;
constexpr size_t kDiscardBytes = 64 << 10;
/// Of a write: stays in a core's second-level cache until its checksum is made.
constexpr size_t kPieceBytes = 256 << 10;

}  // namespace

StreamService::StreamService(ByteStream::Socket socket, const TlsContext& tls, BearerToken token,
                             ExtentHost& host, std::shared_ptr<Mailbox> mailbox,
                             std::function<void()> ended)
    : stream_(std::move(socket), tls),
      token_(std::move(token)),
      host_(host),
      mailbox_(std::move(mailbox)),
      timer_(stream_.socket().get_executor()),
      ended_(std::move(ended)),
      progress_(Clock::Real().Now()) {}

void StreamService::Start() {
  stream_.SetSocketOptions();
  Watch();
  stream_.Handshake(ByteStream::End::kServer, [self = shared_from_this()](const ErrorCode& error) {
    if (self->closed_) return;
    if (!error) return self->ReadHello();
    spdlog::debug("refused a peer: {}", self->stream_.Describe(error));
    self->Close();
  });
}

void StreamService::Watch() {
  timer_.expires_after(kWatchInterval);
  timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
    if (error || self->closed_) return;
    const Duration silence = Clock::Real().Now() - self->progress_;
    const bool busy = self->receiving_ || !self->sending_.empty();
    if ((!self->welcome_ && silence >= kHandshakeTimeout) || (busy && silence >= kStalledAfter)) {
      return self->Close();
    }
    self->Watch();
  });
}

void StreamService::Receive(std::span<std::byte> bytes, std::function<void()> done) {
  stream_.Read(bytes, [self = shared_from_this(), done = std::move(done)](const ErrorCode& error) {
    if (self->closed_) return;
    if (error) return self->Close();
    self->progress_ = Clock::Real().Now();
    done();
  });
}

void StreamService::ReadHello() {
  Receive(hello_, [this] {
    const absl::StatusOr<size_t> length = UnpackHello(hello_);
    if (length.ok()) return ReadToken(*length);
    spdlog::warn("closed the connection of a peer that sent {}", length.status().ToString());
    Close();
  });
}

void StreamService::ReadToken(size_t length) {
  auto token = std::make_shared<std::string>(length, '\0');
  Receive(std::as_writable_bytes(std::span(*token)), [this, token] { CheckToken(*token); });
}

void StreamService::CheckToken(const std::string& token) {
  const absl::Status allowed = token_.CheckSecret(token);
  closing_ = !allowed.ok();
  welcome_ = allowed.ok();
  Reply(0, allowed);
  if (welcome_) ReadRequest();
}

void StreamService::ReadRequest() {
  receiving_ = false;
  Receive(frame_, [this] {
    const absl::StatusOr<RequestFrame> request = UnpackRequestFrame(frame_);
    if (request.ok()) return OnRequest(*request);
    spdlog::warn("closed the connection of a peer that sent {}", request.status().ToString());
    Close();
  });
}

void StreamService::OnRequest(const RequestFrame& request) {
  receiving_ = true;
  if (request.header.kind == RequestKind::kWrite) return ReceiveWrite(request);
  if (request.header.kind == RequestKind::kReadFromDisk) return ReadDisk(request.header);
  if (request.header.kind != RequestKind::kRead) return ReceiveBody(request);
  Answer(request.header.id, OpenForRead(host_, request.header));
  Continue();
}

void StreamService::ReadDisk(const RequestHeader& request) {
  ++reading_;
  // The disk may outlive this thread, on which alone a connection may end.
  ReadFromDisk(host_, request,
               [mailbox = mailbox_, service = weak_from_this(),
                id = request.id](const absl::StatusOr<ReadableBytes>& read) {
                 mailbox->Post([service, id, read] {
                   const std::shared_ptr<StreamService> self = service.lock();
                   if (self == nullptr || self->closed_) return;
                   --self->reading_;
                   self->Answer(id, read);
                 });
               });
  Continue();
}

void StreamService::ReceiveWrite(const RequestFrame& request) {
  absl::StatusOr<WritableBytes> opened = OpenForWrite(host_, request.header);
  if (!opened.ok()) return Discard(request, request.body_bytes, opened.status());
  ReceivePiece(request.header, *std::move(opened));
}

void StreamService::ReceivePiece(const RequestHeader& request, WritableBytes rest) {
  if (rest.bytes.empty()) {
    Reply(request.id, absl::OkStatus());
    return Continue();
  }
  const std::span<std::byte> piece = rest.bytes.first(std::min(rest.bytes.size(), kPieceBytes));
  Receive(piece, [this, request, rest, piece] {
    const uint64_t position = request.position + request.length - rest.bytes.size();
    host_.Arrived(request.extent, position, piece.size());
    ReceivePiece(request, {rest.bytes.subspan(piece.size()), rest.hold});
  });
}

void StreamService::Discard(const RequestFrame& request, uint64_t rest,
                            const absl::Status& status) {
  if (rest == 0) {
    Reply(request.header.id, status);
    return Continue();
  }
  scratch_.resize(std::min<uint64_t>(rest, kDiscardBytes));
  Receive(scratch_,
          [this, request, rest, status] { Discard(request, rest - scratch_.size(), status); });
}

void StreamService::ReceiveBody(const RequestFrame& request) {
  scratch_.resize(request.body_bytes);
  Receive(scratch_, [this, header = request.header] {
    if (header.kind == RequestKind::kPut) {
      Answer(header.id, Put(host_, scratch_));
    } else {
      Reply(header.id, Perform(host_, header, scratch_));
    }
    Continue();
  });
}

void StreamService::Continue() {
  receiving_ = false;
  paused_ = outbox_.size() + reading_ >= kMaxWaitingReplies;
  if (!paused_) ReadRequest();
}

void StreamService::Reply(uint64_t id, const absl::Status& status) {
  auto text = std::make_shared<const std::string>(status.message());
  const std::span<const std::byte> bytes = BytesOf(*text);
  Reply(id, status.code(), ReadableBytes{bytes, std::move(text)});
}

void StreamService::Answer(uint64_t id, absl::StatusOr<ReadableBytes> bytes) {
  if (!bytes.ok()) return Reply(id, bytes.status());
  Reply(id, absl::StatusCode::kOk, *std::move(bytes));
}

void StreamService::Reply(uint64_t id, absl::StatusCode code, ReadableBytes body) {
  std::string frame = PackFrame(ReplyFrame{{id, code}, body.bytes.size()});
  outbox_.push_back({std::move(frame), std::move(body)});
  if (!sending_.empty() || about_to_send_) return;
  // Once what has arrived is dealt with: answers to many go together.
  about_to_send_ = true;
  asio::post(stream_.socket().get_executor(), [self = shared_from_this()] {
    self->about_to_send_ = false;
    if (!self->closed_ && self->sending_.empty()) self->Send();
  });
}

void StreamService::Send() {
  sending_.assign(std::make_move_iterator(outbox_.begin()), std::make_move_iterator(outbox_.end()));
  outbox_.clear();
  if (sending_.empty()) return;
  progress_ = Clock::Real().Now();
  std::vector<asio::const_buffer> buffers;
  for (const Outgoing& reply : sending_) {
    buffers.push_back(asio::buffer(reply.frame));
    buffers.emplace_back(reply.body.bytes.data(), reply.body.bytes.size());
  }
  stream_.Write(buffers, [self = shared_from_this()](const ErrorCode& error) {
    self->sending_.clear();
    if (self->closed_) return;
    if (error || self->closing_) return self->Close();
    self->progress_ = Clock::Real().Now();
    self->Send();
    if (self->paused_) self->Continue();
  });
}

void StreamService::Close() {
  if (std::exchange(closed_, true)) return;
  timer_.cancel();
  stream_.Close();
  outbox_.clear();
  if (const auto ended = std::exchange(ended_, nullptr)) ended();
}

}  // namespace tandem::transfer
