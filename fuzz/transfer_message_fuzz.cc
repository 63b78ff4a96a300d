#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "transfer/message.h"
#include "transfer/put_message.h"
#include "transfer/shared_memory_messages.h"
#include "transfer/stream_frame.h"
#include "transfer/write_packet.h"

namespace {

using namespace tandem::transfer;

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto request = UnpackRequest(bytes); request.ok()) {
    // What a server does with it must stay inside the extent.
    Check(request->position + request->length <= request->extent.length);
    Check(request->length <= kMaxMessageBytes);
    const std::string again = Pack(*request);
    Check(UnpackRequest(std::as_bytes(std::span(again.data(), again.size()))).ok());
  }
  (void)UnpackReply(bytes);
  if (const auto object = UnpackObject({0, 1 << 20, 1}, bytes); object.ok()) {
    Check(object->size <= 1 << 20 && !object->key.empty());
  }
  if (const auto pieces = UnpackWrite(bytes); pieces.ok()) {
    for (const StagedPiece& piece : *pieces) {
      Check(piece.staged_at + piece.length <= kStagingBytes);
      Check(piece.position + piece.length <= piece.extent.length);
    }
  }
  (void)UnpackResults(bytes);
  if (const auto puts = UnpackPuts(bytes); puts.ok()) {
    PutMessage again;
    for (const ReceivedPut& put : *puts) {
      Check(put.bytes.size() == put.object.size && put.object.size <= put.object.extent.length);
      Check(again.Add({&put.object, put.object.extent, {put.bytes, nullptr}, put.grant}));
    }
    Check(again.size() == bytes.size());
  }
  if (const auto pins = UnpackPinRequest(bytes); pins.ok()) {
    Check(pins->count > 0 && pins->count <= kMaxPinsPerPacket && pins->packet_size() == size);
  }
  (void)UnpackHello(bytes);
  (void)UnpackReplyFrame(bytes);
  if (const auto frame = UnpackRequestFrame(bytes); frame.ok()) {
    // What a service makes room for, and writes into its extent.
    Check(frame->body_bytes <= kMaxMessageBytes);
    Check(frame->header.kind != RequestKind::kWrite || frame->body_bytes == frame->header.length);
  }
  return 0;
}
