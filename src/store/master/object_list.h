#pragma once

#include "store/master/object.h"

namespace tandem::store {

/// Objects in an order, linked through themselves: each stands in one list at most, and moving it
/// takes no memory. Owns nothing. Not synchronised.
class ObjectList {
 public:
  ObjectList() = default;
  ObjectList(const ObjectList&) = delete;
  ObjectList& operator=(const ObjectList&) = delete;

  bool empty() const { return first_ == nullptr; }
  /// The first, or null.
  Object* front() const { return first_; }

  /// Appends an object that stands in no list.
  void Append(Object& object) {
    object.list = this;
    object.previous = last_;
    object.next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = &object;
    last_ = &object;
  }

  /// Takes an object of this list out of it.
  void Remove(Object& object) {
    (object.previous == nullptr ? first_ : object.previous->next) = object.next;
    (object.next == nullptr ? last_ : object.next->previous) = object.previous;
    object.list = nullptr;
  }

 private:
  Object* first_ = nullptr;
  Object* last_ = nullptr;
};

}  // namespace tandem::store
