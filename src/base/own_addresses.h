#pragma once

#include <string>
#include <vector>

namespace tandem {

/// The IP addresses of this host's network interfaces, sorted.
std::vector<std::string> OwnAddresses();

}  // namespace tandem
