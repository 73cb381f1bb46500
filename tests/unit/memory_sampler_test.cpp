// What the operating system says about memory, from folders that look like its own: cgroup v2, nested and not, v1, hybrids of both,
// none at all, and files that are absent, unreadable or nonsense. The program counts its heap allocations: a sample makes none.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "io/memory_sampler.hpp"
#include "unit/heap_allocations.hpp"

namespace plimsoll::io {
namespace {

using Source = MemorySample::Source;
constexpr std::uint64_t MiB = 1u << 20, GiB = 1u << 30;

class Sampler : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "plimsoll-sampler-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = root_ + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  void write(const std::string& file, std::uint64_t number) { write(file, std::to_string(number) + "\n"); }
  void machine(std::uint64_t total, std::uint64_t available) {
    write("/proc/meminfo", "MemTotal:       " + std::to_string(total / 1024) + " kB\nMemFree:        1000 kB\nMemAvailable:   " +
                               std::to_string(available / 1024) + " kB\nBuffers: 7 kB\n");
    write("/proc/pressure/memory",
          "some avg10=1.50 avg60=0.20 avg300=0.00 total=12345\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=1\n");
  }
  MemorySample sample() const { return MemorySampler(root_).sample(); }
  MemorySample sound() const {
    MemorySample one = sample();
    EXPECT_FALSE(one.problem) << one.problem->message();
    return one;
  }
  // The sample has a problem whose text names `what`.
  MemorySample ailing(const std::string& what) const {
    MemorySample one = sample();
    EXPECT_TRUE(one.problem) << "nobody complains of " << what;
    if (one.problem) { EXPECT_NE(one.problem->message().find(what), std::string::npos) << one.problem->message(); }
    return one;
  }

  std::string root_;
};

TEST_F(Sampler, AnEmptySystemSaysNothing) {
  const MemorySample one = sound();
  EXPECT_EQ(one.source, Source::none);
  EXPECT_EQ(one.limit_bytes, std::nullopt);
  EXPECT_EQ(one.usage_bytes, std::nullopt);
  EXPECT_EQ(one.available_bytes, std::nullopt);
  EXPECT_EQ(one.psi_some_avg10, std::nullopt);
}

TEST_F(Sampler, WithoutAContainerTheMachineIsTheLimit) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/self/cgroup", "0::/\n");
  const MemorySample one = sound();
  EXPECT_EQ(one.source, Source::system);
  EXPECT_EQ(one.limit_bytes, 8 * GiB);
  EXPECT_EQ(one.usage_bytes, 3 * GiB);
  EXPECT_EQ(one.available_bytes, 5 * GiB);
  EXPECT_EQ(one.psi_some_avg10, 1.5);
}

TEST_F(Sampler, VersionTwoInAContainerOfItsOwn) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/memory.max", 512 * MiB);
  write("/sys/fs/cgroup/memory.high", "max\n");
  write("/sys/fs/cgroup/memory.current", 300 * MiB);
  write("/sys/fs/cgroup/memory.stat", "anon 1000\nfile 2000\nactive_file 1\ninactive_file " + std::to_string(100 * MiB) + "\n");
  write("/sys/fs/cgroup/memory.pressure", "some avg10=12.25 avg60=0.00 avg300=0.00 total=0\n");
  const MemorySample one = sound();
  EXPECT_EQ(one.source, Source::cgroup_v2);
  EXPECT_EQ(one.limit_bytes, 512 * MiB);
  EXPECT_EQ(one.usage_bytes, 300 * MiB);
  EXPECT_EQ(one.available_bytes, 312 * MiB) << "page cache that is not in use counts as free";
  EXPECT_EQ(one.psi_some_avg10, 12.25) << "the group's own, not the machine's";
}

TEST_F(Sampler, HighBindsWhenItIsLower) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/self/cgroup", "0::/app\n");
  write("/sys/fs/cgroup/app/memory.max", 512 * MiB);
  write("/sys/fs/cgroup/app/memory.high", 256 * MiB);
  write("/sys/fs/cgroup/app/memory.current", 100 * MiB);
  const MemorySample one = sound();
  EXPECT_EQ(one.limit_bytes, 256 * MiB);
  EXPECT_EQ(one.available_bytes, 156 * MiB);
  EXPECT_EQ(one.psi_some_avg10, 1.5) << "the machine's, the group has none";
}

TEST_F(Sampler, TheLeastLimitOnTheWayUpBinds) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/self/cgroup", "1:name=systemd:/x\n0::/slice/service/unit\n");
  write("/sys/fs/cgroup/slice/memory.max", 1 * GiB);
  write("/sys/fs/cgroup/slice/memory.current", 1000 * MiB);
  write("/sys/fs/cgroup/slice/service/memory.max", 400 * MiB);
  write("/sys/fs/cgroup/slice/service/memory.current", 200 * MiB);
  write("/sys/fs/cgroup/slice/service/unit/memory.max", "max\n");
  write("/sys/fs/cgroup/slice/service/unit/memory.current", 50 * MiB);
  const MemorySample one = sound();
  EXPECT_EQ(one.source, Source::cgroup_v2);
  EXPECT_EQ(one.limit_bytes, 400 * MiB);
  EXPECT_EQ(one.usage_bytes, 200 * MiB) << "of the group whose limit it is";
  EXPECT_EQ(one.available_bytes, 24 * MiB) << "the slice has 24 MiB left for all of its groups";
}

TEST_F(Sampler, VersionOne) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/self/cgroup", "9:name=systemd:/\n4:cpuset,memory:/process_api/6ac\n3:cpu:/other\n0::/\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", 6 * GiB);
  write("/sys/fs/cgroup/memory/process_api/6ac/memory.limit_in_bytes", 1 * GiB);
  write("/sys/fs/cgroup/memory/process_api/6ac/memory.usage_in_bytes", 700 * MiB);
  write("/sys/fs/cgroup/memory/process_api/6ac/memory.stat",
        "inactive_file 5\ntotal_inactive_file " + std::to_string(200 * MiB) + "\n");
  const MemorySample one = sound();
  EXPECT_EQ(one.source, Source::cgroup_v1);
  EXPECT_EQ(one.limit_bytes, 1 * GiB);
  EXPECT_EQ(one.usage_bytes, 700 * MiB);
  EXPECT_EQ(one.available_bytes, 524 * MiB);
}

TEST_F(Sampler, UnlimitedGroupsLeaveTheMachinesLimit) {
  for (const bool with_machine : {false, true}) {
    if (with_machine) machine(8 * GiB, 5 * GiB);
    for (const char* unlimited : {"9223372036854771712\n", "9223372036854775807\n", "18446744073709551615\n"}) {
      write("/proc/self/cgroup", "4:memory:/g\n");
      write("/sys/fs/cgroup/memory/g/memory.limit_in_bytes", unlimited);
      write("/sys/fs/cgroup/memory/g/memory.usage_in_bytes", 6 * GiB);
      const MemorySample one = sound();
      EXPECT_EQ(one.source, with_machine ? Source::system : Source::none);
      EXPECT_EQ(one.limit_bytes, with_machine ? std::optional(8 * GiB) : std::nullopt);
    }
  }
}

TEST_F(Sampler, AHybridTakesTheHierarchyThatControlsMemory) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/self/cgroup", "4:memory:/one\n0::/two\n");
  write("/sys/fs/cgroup/memory/one/memory.limit_in_bytes", 1 * GiB);
  write("/sys/fs/cgroup/memory/one/memory.usage_in_bytes", 1 * MiB);
  std::filesystem::create_directories(root_ + "/sys/fs/cgroup/unified/two");
  EXPECT_EQ(sound().source, Source::cgroup_v1);
  write("/sys/fs/cgroup/unified/two/memory.max", 512 * MiB);
  write("/sys/fs/cgroup/unified/two/memory.current", 1 * MiB);
  EXPECT_EQ(sound().limit_bytes, 512 * MiB);
  EXPECT_EQ(sound().source, Source::cgroup_v2);
}

// Inside a container the kernel may show the path that the group has on the host; what is mounted is the container's own part.
TEST_F(Sampler, APathOfTheHostLeadsToTheContainersOwnGroup) {
  machine(8 * GiB, 5 * GiB);
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", 128 * MiB);
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", 28 * MiB);
  for (const char* path : {"/docker/0123456789abcdef", "/../../sibling", "/"}) {
    write("/proc/self/cgroup", "4:memory:" + std::string(path) + "\n");
    const MemorySample one = sound();
    EXPECT_EQ(one.limit_bytes, 128 * MiB) << path;
    EXPECT_EQ(one.available_bytes, 100 * MiB) << path;
  }
}

TEST_F(Sampler, UsageAboveTheLimitLeavesNothing) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/memory.max", 100 * MiB);
  write("/sys/fs/cgroup/memory.current", 120 * MiB);
  EXPECT_EQ(sound().available_bytes, 0u);
}

TEST_F(Sampler, NonsenseIsAbsentAndNamed) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/memory.current", 50 * MiB);
  for (const char* text : {"", "twelve\n", "-1\n", "12MiB\n", "1 2\n", "99999999999999999999999\n", "\x01\x02\xff"}) {
    write("/sys/fs/cgroup/memory.max", text);
    const MemorySample one = ailing("memory.max");
    EXPECT_EQ(one.source, Source::system) << text;
    EXPECT_EQ(one.limit_bytes, 8 * GiB) << text;
  }
  write("/sys/fs/cgroup/memory.max", 100 * MiB);
  EXPECT_EQ(sound().limit_bytes, 100 * MiB);
  write("/sys/fs/cgroup/memory.stat", "inactive_file many\n");
  EXPECT_EQ(ailing("memory.stat").available_bytes, 50 * MiB);
}

TEST_F(Sampler, NonsenseInProcIsAbsentAndNamed) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/pressure/memory", "full avg10=0.50\n");
  EXPECT_EQ(ailing("pressure").psi_some_avg10, std::nullopt);
  for (const char* text :
       {"some avg10=\n", "some avg10=nan avg60=0\n", "some avg10=101 avg60=0\n", "some avg10=-1\n", "some avg10=x1\n"}) {
    write("/proc/pressure/memory", text);
    EXPECT_EQ(ailing("pressure").psi_some_avg10, std::nullopt) << text;
  }
  write("/proc/pressure/memory", "some avg10=0.00 avg60=0\n");
  EXPECT_EQ(sound().psi_some_avg10, 0.0);
  for (const char* text : {"MemTotal: x kB\n", "MemTotal: 18446744073709551615 kB\n", "MemTotal:\n"}) {
    write("/proc/meminfo", text);
    EXPECT_EQ(ailing("meminfo").limit_bytes, std::nullopt) << text;
  }
  write("/proc/meminfo", "MemTotal: 1024 kB");  // cut off, and no MemAvailable
  EXPECT_EQ(sound().limit_bytes, 1 * MiB);
  EXPECT_EQ(sound().usage_bytes, std::nullopt);
  for (const char* text : {"nonsense\n", "0:\n", "0::\n", "0::relative\n"}) {
    write("/proc/self/cgroup", text);
    EXPECT_EQ(ailing("self/cgroup").source, Source::system) << text;
  }
}

TEST_F(Sampler, FilesThatCannotBeReadAreAbsentAndNamed) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/memory.current", 50 * MiB);
  std::filesystem::create_directories(root_ + "/sys/fs/cgroup/memory.max");  // a folder; root may read every file
  const MemorySample one = ailing("memory.max");
  EXPECT_EQ(one.limit_bytes, 8 * GiB);
}

TEST_F(Sampler, PathsThatAreTooLongNameNothing) {
  machine(8 * GiB, 5 * GiB);
  for (const std::size_t length : {3000u, 4080u, 4095u, 5000u, 20'000u}) {
    write("/proc/self/cgroup", "0::/" + std::string(length, 'x') + "\n");
    EXPECT_EQ(sample().limit_bytes, 8 * GiB) << length;
  }
}

TEST_F(Sampler, SamplesWithoutTheHeap) {
  machine(8 * GiB, 5 * GiB);
  write("/proc/self/cgroup", "4:memory:/a\n0::/a/b\n");
  write("/sys/fs/cgroup/a/memory.max", 1 * GiB);
  write("/sys/fs/cgroup/a/b/memory.max", "nonsense\n");
  const MemorySampler fake(root_), real("/");
  const std::size_t before = heap_allocations;
  for (int i = 0; i < 10; ++i) {
    const MemorySample one = fake.sample(), other = real.sample();
    if (!one.problem || other.limit_bytes == 0) ADD_FAILURE();
  }
  EXPECT_EQ(heap_allocations, before);
}

// Whatever the machine is that the test runs on, its figures hang together.
TEST_F(Sampler, TheRealSystemMakesSense) {
  const MemorySample one = MemorySampler("/").sample();
  ASSERT_TRUE(one.limit_bytes);
  EXPECT_GT(*one.limit_bytes, 16 * MiB);
  EXPECT_NE(one.source, Source::none);
  if (one.available_bytes && one.source == Source::system) { EXPECT_LE(*one.available_bytes, *one.limit_bytes); }
  EXPECT_EQ(name(Source::cgroup_v1), "cgroup v1");
}

}  // namespace
}  // namespace plimsoll::io
