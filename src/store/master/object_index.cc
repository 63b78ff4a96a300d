#include "store/master/object_index.h"

#include <algorithm>
#include <utility>

namespace tandem::store {

Object* ObjectIndex::Find(const std::string& key) const {
  const auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : it->second.get();
}

Object& ObjectIndex::Add(std::unique_ptr<Object> added) {
  Object& object = *added;
  by_key_[object.key] = std::move(added);
  if (object.state == Object::State::kProcessing) {
    object.position = puts_.insert(puts_.end(), &object);
  } else {
    ++complete_;
    if (object.soft_pin) ++soft_pinned_;
  }
  return object;
}

void ObjectIndex::Complete(Object& object) {
  puts_.erase(object.position);
  object.state = Object::State::kComplete;
  ++complete_;
  if (object.soft_pin) ++soft_pinned_;
}

void ObjectIndex::Discard(Object& object) {
  const auto it = by_key_.find(object.key);
  object.state = Object::State::kDiscarded;
  discarded_[&object] = std::move(it->second);
  by_key_.erase(it);
}

void ObjectIndex::Erase(Object& object) {
  if (object.state == Object::State::kComplete) {
    --complete_;
    if (object.soft_pin) --soft_pinned_;
  } else {
    puts_.erase(object.position);
  }
  if (object.state == Object::State::kDiscarded) {
    discarded_.erase(&object);
  } else {
    by_key_.erase(by_key_.find(object.key));
  }
}

Object* ObjectIndex::FindDiscarded(const std::string& writer, uint64_t generation) const {
  for (const auto& [object, owner] : discarded_) {
    if (object->writer != writer) continue;
    const bool holds = std::any_of(
        object->replicas.begin(), object->replicas.end(),
        [generation](const Replica& replica) { return replica.generation == generation; });
    if (holds) return object;
  }
  return nullptr;
}

}  // namespace tandem::store
