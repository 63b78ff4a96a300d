#pragma once

#include <cstdint>

namespace tandem::model {

/// Unicode's property White_Space.
bool IsWhiteSpace(uint32_t code_point);

/// A letter, mark, digit or connector: what regular expressions call \w.
bool IsWordCharacter(uint32_t code_point);

/// A number of any kind (Nd, Nl, No).
bool IsNumber(uint32_t code_point);

}  // namespace tandem::model
