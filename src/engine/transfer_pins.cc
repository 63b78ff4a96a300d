#include "engine/transfer_pins.h"

#include <utility>

namespace tandem::engine {

void TransferPins::Add(std::shared_ptr<cache::Ticket> ticket, std::span<const int32_t> blocks) {
  pool_.AddReferences(blocks);
  pins_.push_back({std::move(ticket), {blocks.begin(), blocks.end()}});
}

std::vector<std::shared_ptr<cache::Ticket>> TransferPins::ReleaseDone() {
  std::vector<std::shared_ptr<cache::Ticket>> done;
  std::erase_if(pins_, [&](const Pin& pin) {
    if (!pin.ticket->done()) return false;
    pool_.Release(pin.blocks);
    done.push_back(pin.ticket);
    return true;
  });
  return done;
}

}  // namespace tandem::engine
