#include "store/master/master_options.h"

#include <chrono>

namespace tandem::store {

uint64_t FirstGenerationOfNow() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(since_1970);
  return static_cast<uint64_t>(milliseconds.count()) << 20;
}

}  // namespace tandem::store
