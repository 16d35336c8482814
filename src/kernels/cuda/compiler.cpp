#include "kernels/cuda/compiler.h"

#include <dlfcn.h>

#include <cstdlib>
#include <utility>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/cuda/kernel_cache.h"
#include "kernels/cuda/kernel_texts.h"
#include "kernels/cuda/libraries.h"

namespace emelex::cuda {
namespace {

using Program = struct _nvrtcProgram*;

struct Nvrtc {
  int (*nvrtcVersion)(int* major, int* minor);
  int (*nvrtcCreateProgram)(Program* program, const char* source, const char* name, int headers,
                            const char* const* texts, const char* const* names);
  int (*nvrtcDestroyProgram)(Program* program);
  int (*nvrtcCompileProgram)(Program program, int count, const char* const* options);
  int (*nvrtcGetProgramLogSize)(Program program, size_t* bytes);
  int (*nvrtcGetProgramLog)(Program program, char* log);
  int (*nvrtcGetCUBINSize)(Program program, size_t* bytes);
  int (*nvrtcGetCUBIN)(Program program, char* cubin);
};

void* open_library() {
  if (const char* given = std::getenv("EMELEX_NVRTC"); given != nullptr && *given != '\0') {
    if (void* library = open_with_neighbours(given)) return library;
    throw Error(ErrorCode::unsupported,
                str_cat("[cuda] expected EMELEX_NVRTC to be the path of libnvrtc.so, got ", quote_bytes(given)));
  }
  if (void* library = open_cuda_library("nvrtc")) return library;
  throw Error(ErrorCode::unsupported,
              "[cuda] expected NVRTC, which compiles the GPU kernels, got no libnvrtc.so.13 or .12; install CUDA's "
              "toolkit or the Python package nvidia-cuda-nvrtc and set EMELEX_NVRTC to its path, or use --device cpu");
}

Nvrtc load() {
  void* library = open_library();
  Nvrtc n{};
  const auto find = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr) {
      throw Error(ErrorCode::unsupported, str_cat("[cuda] expected NVRTC of CUDA 12 or later, got one without ", name));
    }
  };
#define EMELEX_FIND(name) find(#name, n.name)
  EMELEX_FIND(nvrtcVersion);
  EMELEX_FIND(nvrtcCreateProgram);
  EMELEX_FIND(nvrtcDestroyProgram);
  EMELEX_FIND(nvrtcCompileProgram);
  EMELEX_FIND(nvrtcGetProgramLogSize);
  EMELEX_FIND(nvrtcGetProgramLog);
  EMELEX_FIND(nvrtcGetCUBINSize);
  EMELEX_FIND(nvrtcGetCUBIN);
#undef EMELEX_FIND
  return n;
}

const Nvrtc& nvrtc() {
  static const Nvrtc loaded = load();
  return loaded;
}

std::string_view text_of(std::string_view file) {
  const auto found = kernel_texts().find(file);
  if (found == kernel_texts().end()) throw Error(ErrorCode::internal, str_cat("[cuda] no kernel text ", file));
  return found->second;
}

// With the texts that it includes in place of `#include "name.cu"`, so that what is compiled is one text, which names
// it in the cache.
std::string whole_text(const KernelText& text) {
  constexpr std::string_view kInclude = "#include \"kernels/cuda/source/";
  constexpr std::string_view kEnd = ".cu\"\n";
  std::string whole = str_cat(text_of("layouts"), text_of("prelude"), text_of(text.file));
  for (size_t at = whole.find(kInclude); at != std::string::npos; at = whole.find(kInclude, at)) {
    const size_t end = whole.find(kEnd, at);
    if (end == std::string::npos) throw Error(ErrorCode::internal, str_cat("[cuda] an odd include in ", text.file));
    const std::string name = whole.substr(at + kInclude.size(), end - at - kInclude.size());
    whole.replace(at, end + kEnd.size() - at, text_of(name));
  }
  return whole;
}

std::vector<std::string> options_of(const KernelText& text, std::string_view architecture) {
  std::vector<std::string> options{str_cat("--gpu-architecture=", architecture), "--std=c++17"};
  for (const std::string& define : text.defines) options.push_back("-D" + define);
  return options;
}

// The first line of the log that says "error".
std::string first_error(Program program) {
  size_t bytes = 0;
  nvrtc().nvrtcGetProgramLogSize(program, &bytes);
  std::string log(bytes, '\0');
  nvrtc().nvrtcGetProgramLog(program, log.data());
  const size_t at = log.find("error");
  const size_t begin = at == std::string::npos ? 0 : log.rfind('\n', at) + 1;
  return log.substr(begin, log.find('\n', begin) - begin);
}

}  // namespace

std::string compile(const KernelText& text, std::string_view architecture) {
  const std::string source = whole_text(text);
  const std::vector<std::string> options = options_of(text, architecture);
  std::vector<const char*> pointers;
  for (const std::string& option : options) pointers.push_back(option.c_str());
  Program program = nullptr;
  if (nvrtc().nvrtcCreateProgram(&program, source.c_str(), (text.file + ".cu").c_str(), 0, nullptr, nullptr) != 0) {
    throw Error(ErrorCode::device, str_cat("[cuda] expected NVRTC to take ", text.file, ".cu, got a refusal"));
  }
  std::string cubin;
  std::string complaint;
  const int result = nvrtc().nvrtcCompileProgram(program, static_cast<int>(pointers.size()), pointers.data());
  if (result == 0) {
    size_t bytes = 0;
    nvrtc().nvrtcGetCUBINSize(program, &bytes);
    cubin.resize(bytes);
    nvrtc().nvrtcGetCUBIN(program, cubin.data());
  } else {
    complaint = first_error(program);
  }
  nvrtc().nvrtcDestroyProgram(&program);
  if (cubin.empty()) {
    throw Error(ErrorCode::device, str_cat("[cuda] expected ", text.file, ".cu to compile for ", architecture,
                                           ", got from NVRTC (error ", result, "): ", quote_bytes(complaint)));
  }
  return cubin;
}

std::string compiler_version() {
  int major = 0;
  int minor = 0;
  nvrtc().nvrtcVersion(&major, &minor);
  return str_cat(major, ".", minor);
}

bool compiler_is_at_least(int major, int minor) {
  int own_major = 0;
  int own_minor = 0;
  nvrtc().nvrtcVersion(&own_major, &own_minor);
  return std::pair(own_major, own_minor) >= std::pair(major, minor);
}

std::string compile_cached(const KernelText& text, std::string_view architecture) {
  std::string key = str_cat("NVRTC ", compiler_version(), "\n");
  for (const std::string& option : options_of(text, architecture)) key += option + "\n";
  key += whole_text(text);
  const KernelCache cache;
  if (auto known = cache.read(key)) return *known;
  std::string cubin = compile(text, architecture);
  cache.write(key, cubin);
  return cubin;
}

}  // namespace emelex::cuda
