#include "model/tokenizer/splitter.h"
#include "model/tokenizer/unicode.h"
#include "model/tokenizer/utf8.h"

namespace tandem::model {
namespace {

class DigitSplitter : public Splitter {
 public:
  explicit DigitSplitter(bool individual) : individual_(individual) {}

  void Split(std::string_view text, std::vector<std::string_view>* pieces) const override {
    size_t start = 0;
    bool piece_is_number = false;
    for (size_t at = 0; at < text.size();) {
      const Utf8Character character = FirstCharacter(text.substr(at));
      const bool is_number = IsNumber(character.code_point);
      if (at > start && (is_number != piece_is_number || (is_number && individual_))) {
        pieces->push_back(text.substr(start, at - start));
        start = at;
      }
      piece_is_number = is_number;
      at += character.size;
    }
    if (start < text.size()) pieces->push_back(text.substr(start));
  }

 private:
  const bool individual_;
};

}  // namespace

std::unique_ptr<Splitter> MakeDigitSplitter(bool individual) {
  return std::make_unique<DigitSplitter>(individual);
}

}  // namespace tandem::model
