#pragma once

#include <span>
#include <string>
#include <string_view>

#include "transfer/lent_bytes.h"
#include "transfer/transport.h"

namespace tandem::store {

/// Waits until no transfer touches lent bytes any more, as one may after it was given up. What does
/// not end by itself is ended by dropping the connections to `endpoints`. `what` is for the log.
void TakeBack(transfer::LentBytes& lent, std::span<const std::string> endpoints,
              transfer::Transport& transport, std::string_view what);

}  // namespace tandem::store
