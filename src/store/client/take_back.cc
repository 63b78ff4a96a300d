#include "store/client/take_back.h"

#include <spdlog/spdlog.h>

namespace tandem::store {
namespace {

// What was given up, but is under way, may end by itself.
constexpr Duration kEndsByItself = std::chrono::milliseconds(200);
constexpr Duration kBetweenWarnings = std::chrono::seconds(10);

}  // namespace

void TakeBack(transfer::LentBytes& lent, std::span<const std::string> endpoints,
              transfer::Transport& transport, std::string_view what) {
  if (lent.WaitUntilReturned(Clock::Real().Now() + kEndsByItself)) return;
  for (const std::string& endpoint : endpoints) transport.Abandon(endpoint);
  while (!lent.WaitUntilReturned(Clock::Real().Now() + kBetweenWarnings)) {
    spdlog::warn("a transfer of {} that was given up does not end", what);
  }
}

}  // namespace tandem::store
