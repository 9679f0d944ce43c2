// SPDX-License-Identifier: Apache-2.0
// What tests/gates/crash_safety.sh kills: saves folders and one file, over and over; and checks what is there
// afterwards.
//   save_loop save DIR FIRST LAST    DIR/step-N for each N, and DIR/latest; says "saved N" when N is durable
//   save_loop check DIR N            every folder under its final name is whole, and N and all before it are there
#include <atom/io/checksum.hpp>

#include <cstdio>
#include <filesystem>

using namespace atom;

namespace {

std::string content_of(int step) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += to_text(step, ' ');
  return text;
}

void save(const std::string& folder, int step) {
  io::write_folder(to_text(folder, "/step-", step), [&](const std::string& temporary) {
    io::write_file(temporary + "/model", [&](io::FileWriter& writer) {
      for (int part = 0; part < 3; ++part) writer.write(content_of(step));
    });
    if (::mkdir((temporary + "/training").c_str(), 0777) != 0) io::fail_system(temporary, "cannot be filled");
    const std::string state = temporary + "/training/state", text = content_of(step + 1);
    std::FILE* file = std::fopen(state.c_str(), "w");  // by other means: write_folder makes it durable
    const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (file == nullptr || std::fclose(file) != 0 || !written) io::fail_system(state, "cannot be written");
    io::write_checksums(temporary);
  });
  io::write_file(folder + "/latest", to_text(step));
}

void check_all(const std::string& folder, int least) {
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("step-") && name.find(".tmp-") == name.npos) {
      io::verify_checksums(entry.path());
      ++found;
    }
  }
  check(found >= least, folder, "lost: found ", found, " saved folders, expected ", least);
  if (least == 0) return;
  const int latest = std::stoi(io::read_file(folder + "/latest"));
  check(latest >= least && latest <= found, folder, "latest: found ", latest, ", expected ", least, "..", found);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string what = argc > 3 ? argv[1] : "", folder = argc > 3 ? argv[2] : "";
    if (what == "check") {
      check_all(folder, std::stoi(argv[3]));
    } else if (what == "save" && argc > 4) {
      for (int step = std::stoi(argv[3]); step <= std::stoi(argv[4]); ++step) {
        save(folder, step);
        std::printf("saved %d\n", step);
        std::fflush(stdout);
      }
    } else {
      return 2;
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
