#pragma once

namespace emelex::cuda {

// One of CUDA's libraries ("nvrtc", "cublas"), of version 13 or 12, among those that are loaded, or where the loader,
// CUDA's toolkit and Python's packages have it. nullptr where there is none. It stays loaded.
void* open_cuda_library(const char* name);

// Loads the libraries of a file's folder that the file loads by name alone: NVRTC its builtins, which the loader does
// not find in a folder that it does not search.
void* open_with_neighbours(const char* path);

}  // namespace emelex::cuda
