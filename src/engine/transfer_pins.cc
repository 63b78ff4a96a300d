#include "engine/transfer_pins.h"

#include <utility>

namespace tandem::engine {

void TransferPins::Add(std::shared_ptr<cache::Ticket> ticket, std::span<const int32_t> blocks) {
  pool_.AddReferences(blocks);
  pins_.push_back({std::move(ticket), {blocks.begin(), blocks.end()}});
}

void TransferPins::ReleaseDone() {
  std::erase_if(pins_, [this](const Pin& pin) {
    if (!pin.ticket->done()) return false;
    pool_.Release(pin.blocks);
    return true;
  });
}

}  // namespace tandem::engine
