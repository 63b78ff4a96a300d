#include "store/master/object_key.h"

#include <utf8proc.h>

#include "store/proto/message_limits.h"

namespace tandem::store {

bool IsObjectKey(std::string_view key) {
  if (key.empty() || key.size() > kMaxKeyBytes) return false;
  while (!key.empty()) {
    utf8proc_int32_t character;
    const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(key.data()),
                                       static_cast<utf8proc_ssize_t>(key.size()), &character);
    if (size <= 0) return false;
    key.remove_prefix(static_cast<size_t>(size));
  }
  return true;
}

}  // namespace tandem::store
