#include "base/repeated_warning.h"

#include "base/log.h"

namespace tandem {

void RepeatedWarning::Say(const std::string& text) {
  const TimePoint now = clock_.Now();
  if (last_time_ && text == last_text_ && now - *last_time_ < period_) return;
  last_text_ = text;
  last_time_ = now;
  spdlog::warn("{}", text);
}

}  // namespace tandem
