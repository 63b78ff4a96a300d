#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tandem::cli {

/// Checks of flags' values for CLI11, for use with transform(). All complain alike: "--port: 'abc'
/// is not accepted; it takes a whole number from 0 to 65535".

/// The longest time that a flag takes, in seconds: a day.
constexpr int kLongestSeconds = 86400;

CLI::Validator WholeNumber(int64_t least, int64_t most);
/// A number, perhaps with decimals.
CLI::Validator Number(double least, double most);
/// A port to listen on or, with `least` 1, to connect to.
CLI::Validator Port(int least = 0);
/// At least 1; k stands for 1,000, K for 1,024.
CLI::Validator TokenCount();
/// A number of bytes of at least `least`, or one with kb, mb, gb or tb; becomes the bytes alone.
CLI::Validator ByteSize(uint64_t least = 0);
CLI::Validator OneOf(std::vector<std::string> choices);

}  // namespace tandem::cli
