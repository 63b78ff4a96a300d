#pragma once

#include <string>

#include "base/clock.h"
#include "base/tls.h"

namespace tandem::store {

/// Why a client whose calls to the server at "host:port" fail does so, as far as TLS has to do with
/// it: shakes hands once, with `context` or, if that is null, as one who speaks TLS would. Empty if
/// TLS is not the reason, or nothing was learned by `deadline`.
std::string FindTlsFailure(const std::string& address, const TlsContext& context,
                           TimePoint deadline);

}  // namespace tandem::store
