#include "model/tokenizer/normalizer.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "model/tokenizer/utf8.h"

namespace tandem::model {

std::string_view Normalize(Normalization normalization, std::string_view text,
                           std::string* storage) {
  if (normalization == Normalization::kNone || IsAscii(text)) return text;
  utf8proc_uint8_t* composed = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &composed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  if (size < 0) return text;
  storage->assign(reinterpret_cast<const char*>(composed), static_cast<size_t>(size));
  return *storage;
}

}  // namespace tandem::model
