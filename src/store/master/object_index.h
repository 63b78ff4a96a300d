#pragma once

#include <array>
#include <limits>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "store/master/object.h"
#include "store/master/object_list.h"

namespace tandem::store {

/// Objects by key, and the puts that have not ended. By key they lie in many small sets, which grow
/// one at a time and can be gone through one at a time, as one set of millions could not without a
/// halt of everything else. Not synchronised.
class ObjectIndex {
 public:
  /// The object of that key, complete or being written; or null.
  Object* Find(const std::string& key) const;

  /// Has the memory fetched that finding all of `keys` and moving what is found within its list
  /// will look at: of many at once, where each would wait for one thing after the other.
  template <typename Keys>
  void Prefetch(const Keys& keys) const {
    for (const std::string& key : keys) SetOf(key).prefetch(key);
    for (const std::string& key : keys) Glance(key, &FetchObject);
    for (const std::string& key : keys) Glance(key, &FetchWhatItPointsTo);
  }

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

  static constexpr size_t kSets = 256;
  /// Calls `visit` for each object of one set that has its key, in no order; `visit` must not
  /// change the index.
  template <typename Visitor>
  void ForEachIn(size_t set, Visitor visit) const {
    for (const auto& object : by_key_[set]) visit(*object);
  }

 private:
  using Fetch = void (*)(const Object* object);
  /// A key that no object has: instead of comparing, each that has its hash is fetched somehow.
  struct GlanceAt {
    size_t hash;
    Fetch fetch;
  };

  /// Keys stand in the objects alone; a set of objects is searched by key.
  struct KeyHash {
    using is_transparent = void;
    size_t operator()(const GlanceAt& glance) const { return glance.hash; }
    size_t operator()(const std::string& key) const { return absl::Hash<std::string>{}(key); }
    size_t operator()(const std::unique_ptr<Object>& object) const { return (*this)(object->key); }
  };
  struct KeyEqual {
    using is_transparent = void;
    bool operator()(const std::unique_ptr<Object>& object, const GlanceAt& glance) const {
      glance.fetch(object.get());
      return false;
    }
    bool operator()(const GlanceAt& glance, const std::unique_ptr<Object>& object) const {
      return (*this)(object, glance);
    }
    bool operator()(const std::unique_ptr<Object>& object, const std::string& key) const {
      return object->key == key;
    }
    bool operator()(const std::string& key, const std::unique_ptr<Object>& object) const {
      return object->key == key;
    }
    bool operator()(const std::unique_ptr<Object>& left,
                    const std::unique_ptr<Object>& right) const {
      return left->key == right->key;
    }
  };

  using Set = absl::flat_hash_set<std::unique_ptr<Object>, KeyHash, KeyEqual>;

  void Glance(const std::string& key, Fetch fetch) const {
    const size_t hash = KeyHash()(key);
    (void)by_key_[NumberOfSet(hash)].find(GlanceAt{hash, fetch}, hash);
  }
  static void FetchObject(const Object* object);
  static void FetchWhatItPointsTo(const Object* object);

  static size_t NumberOfSet(size_t hash) {
    // The sets themselves go by the lower bits.
    return hash >> (std::numeric_limits<size_t>::digits - 8);
  }
  static size_t NumberOfSet(const std::string& key) { return NumberOfSet(KeyHash()(key)); }
  const Set& SetOf(const std::string& key) const { return by_key_[NumberOfSet(key)]; }
  Set& SetOf(const std::string& key) { return by_key_[NumberOfSet(key)]; }

  std::array<Set, kSets> by_key_;
  absl::flat_hash_map<Object*, std::unique_ptr<Object>> discarded_;
  ObjectList puts_;  // by start
  size_t complete_ = 0;
  size_t soft_pinned_ = 0;  // of the complete ones
};

}  // namespace tandem::store
