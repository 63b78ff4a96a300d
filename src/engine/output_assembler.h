#pragma once

#include <cstdint>
#include <optional>

#include "engine/request.h"
#include "engine/stop_checker.h"
#include "engine/stop_strings.h"
#include "model/tokenizer.h"

namespace tandem::engine {

/// Turns the tokens of one request into its outputs: text, stop conditions, log-probabilities.
class OutputAssembler {
 public:
  /// All arguments outlive it.
  OutputAssembler(const EngineRequest& request, const model::Tokenizer& tokenizer,
                  const EndTokens& end);

  /// Takes the next token, sampled or given. `emit` false: the client has it, so that only the
  /// state moves on. Not to be called once finished().
  void Append(int32_t token, std::optional<TokenLogprobs> logprobs, bool emit);

  bool finished() const { return finished_; }
  int generated() const { return generated_; }

  /// What has been appended since the last call; only tokens, text, logprobs and, once finished,
  /// the reason are filled in.
  EngineOutput Take();

 private:
  std::string AppendText(int32_t token, StopChecker::Verdict verdict);
  void Finish(FinishReason reason, std::string stop_reason);

  const EngineRequest& request_;
  const StopChecker stop_checker_;
  model::IncrementalDetokenizer detokenizer_;
  StopStrings stop_strings_;
  int generated_ = 0;
  bool finished_ = false;
  EngineOutput output_;
};

}  // namespace tandem::engine
