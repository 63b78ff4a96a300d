#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>

#include "absl/strings/str_cat.h"

namespace tandem {

void StartLog(const std::string& role) {
  auto logger =
      std::make_shared<spdlog::logger>(role, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern(role.empty() ? "%H:%M:%S.%e %^%l%$ %v" : "%H:%M:%S.%e %^%l%$ [%n] %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

absl::Status SetLogLevel(const std::string& level) {
  const spdlog::level::level_enum parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off") {
    return absl::InvalidArgumentError(absl::StrCat(
        "log level '", level, "' is not one of trace, debug, info, warning, error, off"));
  }
  spdlog::set_level(parsed);
  return absl::OkStatus();
}

}  // namespace tandem
