#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "store/master/object.h"

namespace tandem::store {

/// Objects by key, and the puts that have not ended. Not synchronised.
class ObjectIndex {
 public:
  /// The object of that key, complete or being written; or null.
  Object* Find(const std::string& key) const;

  /// Adds an object under a key that has none. One in State::kProcessing is a put.
  Object& Add(std::unique_ptr<Object> object);
  /// A put has ended: `object` becomes complete.
  void Complete(Object& object);
  /// Frees the key of an unfinished put; the put stays until it is erased.
  void Discard(Object& object);
  void Erase(Object& object);

  /// The discarded put of `writer` that holds a replica of that generation, or null.
  Object* FindDiscarded(const std::string& writer, uint64_t generation) const;
  /// The unfinished put, discarded or not, that started first; or null.
  Object* OldestPut() const { return puts_.empty() ? nullptr : puts_.front(); }

  size_t complete_count() const { return complete_; }
  size_t soft_pinned_count() const { return soft_pinned_; }

  /// Calls `visit` for each object that has its key, in no order; `visit` must not change the
  /// index.
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    for (const auto& [key, object] : by_key_) visit(*object);
  }

 private:
  absl::flat_hash_map<std::string, std::unique_ptr<Object>> by_key_;
  absl::flat_hash_map<Object*, std::unique_ptr<Object>> discarded_;
  ObjectList puts_;  // by start
  size_t complete_ = 0;
  size_t soft_pinned_ = 0;  // of the complete ones
};

}  // namespace tandem::store
