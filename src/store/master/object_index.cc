#include "store/master/object_index.h"

#include <algorithm>
#include <utility>

namespace tandem::store {

void ObjectIndex::FetchObject(const Object* object) {
  constexpr size_t kLine = 64;
  const auto* bytes = reinterpret_cast<const char*>(object);
  for (size_t i = 0; i < sizeof(Object); i += kLine) __builtin_prefetch(bytes + i);
  __builtin_prefetch(bytes + sizeof(Object) - 1);
}

void ObjectIndex::FetchWhatItPointsTo(const Object* object) {
  __builtin_prefetch(object->key.data());
  if (object->previous != nullptr) __builtin_prefetch(&object->previous->next, 1);
  if (object->next != nullptr) __builtin_prefetch(&object->next->previous, 1);
}

Object* ObjectIndex::Find(const std::string& key) const {
  const Set& set = SetOf(key);
  const auto it = set.find(key);
  return it == set.end() ? nullptr : it->get();
}

Object& ObjectIndex::Add(std::unique_ptr<Object> added) {
  Object& object = *added;
  SetOf(object.key).insert(std::move(added));
  if (object.state == Object::State::kProcessing) {
    puts_.Append(object);
  } else {
    ++complete_;
    if (object.soft_pin) ++soft_pinned_;
  }
  return object;
}

void ObjectIndex::Complete(Object& object) {
  puts_.Remove(object);
  object.put.reset();
  object.state = Object::State::kComplete;
  ++complete_;
  if (object.soft_pin) ++soft_pinned_;
}

void ObjectIndex::Discard(Object& object) {
  Set& set = SetOf(object.key);
  auto node = set.extract(set.find(object.key));
  object.state = Object::State::kDiscarded;
  discarded_[&object] = std::move(node.value());
}

void ObjectIndex::Erase(Object& object) {
  if (object.state == Object::State::kComplete) {
    --complete_;
    if (object.soft_pin) --soft_pinned_;
  } else {
    puts_.Remove(object);
  }
  if (object.state == Object::State::kDiscarded) {
    discarded_.erase(&object);
  } else {
    Set& set = SetOf(object.key);
    set.erase(set.find(object.key));
  }
}

Object* ObjectIndex::FindDiscarded(const std::string& writer, uint64_t generation) const {
  for (const auto& [object, owner] : discarded_) {
    if (object->put->writer != writer) continue;
    const bool holds = std::any_of(
        object->replicas.begin(), object->replicas.end(),
        [generation](const Replica& replica) { return replica.generation == generation; });
    if (holds) return object;
  }
  return nullptr;
}

}  // namespace tandem::store
