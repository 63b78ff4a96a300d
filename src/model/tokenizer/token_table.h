#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::model {

/// The bytes that each token id stands for.
class TokenTable {
 public:
  /// Of ids 0 to `size` - 1, all unknown.
  explicit TokenTable(int32_t size) : entries_(static_cast<size_t>(size)) {}

  /// Sets the bytes of `id`, which is below size(), out of how the token is written in a byte-level
  /// vocabulary.
  void Set(int32_t id, std::string_view token);
  /// Sets the bytes of `id` as they are.
  void SetBytes(int32_t id, std::string_view bytes);
  void MarkSpecial(int32_t id) { entries_[id].special = true; }

  int32_t size() const { return static_cast<int32_t>(entries_.size()); }
  /// Empty for an unknown id, whatever it is.
  std::string_view Bytes(int32_t id) const;
  bool IsSpecial(int32_t id) const;

 private:
  struct Entry {
    uint32_t offset = 0;
    uint32_t size = 0;
    bool special = false;
  };

  bool Contains(int32_t id) const { return id >= 0 && id < size(); }

  std::string bytes_;  ///< Of all tokens, one behind another.
  std::vector<Entry> entries_;
};

}  // namespace tandem::model
