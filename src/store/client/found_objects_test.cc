#include "store/client/found_objects.h"

#include <gtest/gtest.h>

namespace tandem::store {
namespace {

using std::chrono::seconds;

TEST(FoundObjects, AreKnownUntilTheirLeaseEnds) {
  FakeClock clock;
  FoundObjects objects(clock);
  FoundObject object;
  object.size = 7;
  object.expires = clock.Now() + seconds(10);
  objects.Remember("key", std::make_shared<const FoundObject>(object));
  clock.Advance(seconds(9));
  ASSERT_NE(objects.Recall("key"), nullptr);
  EXPECT_EQ(objects.Recall("key")->size, 7u);
  clock.Advance(seconds(1));
  EXPECT_EQ(objects.Recall("key"), nullptr);
  EXPECT_EQ(objects.Recall("other"), nullptr);
}

TEST(FoundObjects, CanBeForgotten) {
  FakeClock clock;
  FoundObjects objects(clock);
  FoundObject object;
  object.expires = clock.Now() + seconds(10);
  objects.Remember("key", std::make_shared<const FoundObject>(object));
  objects.Forget("key");
  EXPECT_EQ(objects.Recall("key"), nullptr);
}

}  // namespace
}  // namespace tandem::store
