// SPDX-License-Identifier: Apache-2.0
// How many processors this process may use: its affinity mask, capped by the cpu quota of its cgroups (v1 and v2).
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace atom {

namespace detail {

// The whole text of a small file, empty if there is none.
inline std::string small_file(const std::string& path) {
  std::string text;
  if (std::FILE* file = std::fopen(path.c_str(), "re")) {
    char part[4096];
    for (std::size_t count; (count = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, count);
    std::fclose(file);
  }
  return text;
}

// quota / period, rounded up, of one cgroup; `most` without a limit ("max", or -1).
inline int quota_of(const std::string& folder, bool v2, int most) {
  const std::string text = v2 ? small_file(folder + "/cpu.max")
                              : small_file(folder + "/cpu.cfs_quota_us") + small_file(folder + "/cpu.cfs_period_us");
  long long quota = 0, period = 0;
  if (std::sscanf(text.c_str(), "%lld %lld", &quota, &period) != 2 || quota <= 0 || period <= 0) return most;
  return static_cast<int>(std::min<long long>((quota - 1) / period + 1, most));
}

// The least limit among the cgroups of `listing` (lines `number:controllers:path`, as in /proc/self/cgroup) and their
// parents, mounted under `root`; `most` if there is none. Inside a container the path may not exist: then its root
// does.
inline int cgroup_limit(std::string_view listing, const std::string& root, int most) {
  int limit = most;
  while (!listing.empty()) {
    const std::string_view line = listing.substr(0, listing.find('\n'));
    listing.remove_prefix(std::min(line.size() + 1, listing.size()));
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const bool v2 = controllers == ",,";
    if (!v2 && controllers.find(",cpu,") == controllers.npos) continue;
    const std::string mount = root + (v2 ? "" : "/cpu");
    std::string path(line.substr(second + 1));
    while (true) {
      limit = std::min(limit, quota_of(mount + path, v2, most));
      const auto slash = path.rfind('/');
      if (slash == path.npos) break;
      path.resize(slash);
    }
  }
  return limit;
}

}  // namespace detail

// At least 1.
inline int default_thread_count() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
  count = detail::cgroup_limit(detail::small_file("/proc/self/cgroup"), "/sys/fs/cgroup", std::max(count, 1));
#endif
  return std::clamp(count, 1, 1024);
}

}  // namespace atom
