#pragma once

#include "model/testing/random_schedule.h"

namespace tandem::model::testing {

/// Draws `rounds` batches of texts, a quarter of them with prompts of up to `longest_prompt`
/// tokens, and expects of every text the same bits of logits and KV in its batch's schedule as
/// alone.
void ExpectSameBitsInSchedules(RandomSchedule& schedule, int rounds, int longest_prompt);

}  // namespace tandem::model::testing
