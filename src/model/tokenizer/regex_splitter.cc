#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <string>
#include <utility>

#include "model/tokenizer/splitter.h"

namespace tandem::model {
namespace {

struct PcreDeleter {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using Code = std::unique_ptr<pcre2_code, PcreDeleter>;
using MatchData = std::unique_ptr<pcre2_match_data, PcreDeleter>;

/// Unicode's property White_Space. PCRE2's \s also takes U+180E, which lost that property.
constexpr std::string_view kWhiteSpace =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}";

/// Writes \s, and \S outside of classes, out as the characters that checkpoints mean by it.
std::string WithUnicodeWhiteSpace(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      if (escaped == 's') {
        out += in_class ? std::string(kWhiteSpace) : fmt::format("[{}]", kWhiteSpace);
      } else if (escaped == 'S' && !in_class) {
        out += fmt::format("[^{}]", kWhiteSpace);
      } else {
        out += {c, escaped};
      }
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out += c;
  }
  return out;
}

class RegexSplitter : public Splitter {
 public:
  RegexSplitter(Code code, SplitBehavior behavior, bool invert)
      : code_(std::move(code)),
        keep_matches_(behavior == SplitBehavior::kIsolated || invert),
        keep_gaps_(behavior == SplitBehavior::kIsolated || !invert) {}

  void Split(std::string_view text, std::vector<std::string_view>* pieces) const override {
    const MatchData data(pcre2_match_data_create(1, nullptr));
    const PCRE2_SIZE* match = pcre2_get_ovector_pointer(data.get());
    const auto append = [&](bool keep, size_t from, size_t to) {
      if (keep && from < to) pieces->push_back(text.substr(from, to - from));
    };
    size_t end = 0;
    for (size_t from = 0; from < text.size() && Search(text, from, data.get());) {
      append(keep_gaps_, end, match[0]);
      append(keep_matches_, match[0], match[1]);
      end = match[1];
      from = match[1] > match[0] ? match[1] : NextCharacter(text, match[1]);
    }
    append(keep_gaps_, end, text.size());
  }

 private:
  static size_t NextCharacter(std::string_view text, size_t at) {
    do {
      ++at;
    } while (at < text.size() && (text[at] & 0xc0) == 0x80);
    return at;
  }

  /// Patterns that need more than the JIT's small stack are matched again without it.
  bool Search(std::string_view text, size_t from, pcre2_match_data* data) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int found =
        pcre2_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, data, nullptr);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
      found = pcre2_match(code_.get(), subject, text.size(), from,
                          PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, nullptr);
    }
    return found >= 0;
  }

  const Code code_;
  const bool keep_matches_;
  const bool keep_gaps_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Splitter>> MakeRegexSplitter(std::string_view pattern,
                                                            SplitBehavior behavior, bool invert) {
  const std::string translated = WithUnicodeWhiteSpace(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                          PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr));
  if (code == nullptr) {
    std::array<PCRE2_UCHAR, 256> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    return absl::InvalidArgumentError(
        fmt::format("the regular expression \"{}\" is wrong at position {}: {}", translated, offset,
                    reinterpret_cast<const char*>(message.data())));
  }
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  return std::make_unique<RegexSplitter>(std::move(code), behavior, invert);
}

}  // namespace tandem::model
