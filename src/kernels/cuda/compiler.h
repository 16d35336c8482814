#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emelex::cuda {

// One of the texts of source/, and the macros that make it the kernels that are wanted: {"product", {"BITS=4", …}}.
struct KernelText {
  std::string file;
  std::vector<std::string> defines;
};

// Compiles kernels by NVRTC, CUDA's compiler as a library, which is found at run time: in EMELEX_NVRTC (a path), among
// the loaded libraries, or where the loader, CUDA's toolkit and Python's packages have it. `architecture` is "sm_90".
// Throws Error: unsupported where there is no NVRTC, saying where to get it; device with its first complaint.
std::string compile(const KernelText& text, std::string_view architecture);

// "13.0". Throws Error(unsupported) as compile does.
std::string compiler_version();

bool compiler_is_at_least(int major, int minor);

// What compile gives, kept in a folder of the user's cache: $EMELEX_KERNEL_CACHE, else $XDG_CACHE_HOME/emelex/kernels,
// else
// ~/.cache/emelex/kernels. It is code, so only a folder that is the user's own and closed to all others is read or
// written, and a file whose content is not what was written is made anew. Without such a folder it just compiles.
std::string compile_cached(const KernelText& text, std::string_view architecture);

}  // namespace emelex::cuda
