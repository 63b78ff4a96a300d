#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string_view>

namespace tandem {

/// Reads a JSON text so that numbers written again are those that were read. Boost.JSON's own
/// parser rounds a double by a bit here and there, which is for texts that are not passed on.
/// Nothing if `text` is no JSON.
std::optional<boost::json::value> ParseExactJson(std::string_view text);

/// Whether `value` can be written as JSON again. Boost.JSON reads a number above the range of a
/// double (1e400, which the grammar of RFC 8259 allows) as infinity, and writes that as `Infinity`,
/// which is no JSON: what came from outside and is to be passed on is checked first.
bool IsWritable(const boost::json::value& value);

}  // namespace tandem
