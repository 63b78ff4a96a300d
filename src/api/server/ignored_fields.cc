#include "api/server/ignored_fields.h"

#include <boost/json/value.hpp>

#include "api/schema/field_reader.h"
#include "base/log.h"

namespace tandem::api {
namespace {

constexpr size_t kMostNames = 100;

}  // namespace

void IgnoredFields::Note(const std::string& request_id, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    // As JSON and cut, since it is the client's text.
    const std::string quoted = Quote(boost::json::value(name));
    MutexLock lock(mutex_);
    if (told_.size() >= kMostNames || !told_.insert(quoted).second) {
      spdlog::debug("request {}: field {} is not known and is ignored", request_id, quoted);
      continue;
    }
    spdlog::warn("request {}: field {} is not known and is ignored, now and in later requests{}",
                 request_id, quoted,
                 told_.size() == kMostNames ? "; further names are not told" : "");
  }
}

}  // namespace tandem::api
