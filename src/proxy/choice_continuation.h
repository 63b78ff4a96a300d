#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "proxy/decoder_stream.h"
#include "proxy/prefill_decode_plan.h"
#include "proxy/request_scope.h"

namespace tandem::proxy {

/// Goes on with a broken stream of several choices: those that had not ended are continued one
/// after the other, each as a request of its own, since a decoder continues one choice only. Runs
/// in the callbacks of one call after the other.
class ChoiceContinuation : public std::enable_shared_from_this<ChoiceContinuation> {
 public:
  /// `stream` is what the client has, `tried` are the decoders that failed, for `reason`.
  ChoiceContinuation(std::shared_ptr<RequestScope> scope, PrefillDecodePlan plan,
                     const DecoderStream& stream, std::set<int> tried, std::string reason);

  void Start() { Next(); }

 private:
  void Next();
  void OnChoiceEnd(const DecoderStream& stream);
  /// The end of the client's stream, and usage before it.
  void End();
  std::string Usage();

  const std::shared_ptr<RequestScope> scope_;
  const PrefillDecodePlan plan_;
  const std::set<int> tried_;
  const std::string reason_;
  std::string first_chunk_;
  std::map<int, ChoiceProgress> progress_;
  int choice_ = 0;
};

}  // namespace tandem::proxy
