// A program that leaks, so that a test sees whether leaks are found.
#include <cstdlib>

int main() {
  volatile char* leaked = static_cast<char*>(std::malloc(12345));
  leaked[0] = 1;
  leaked = nullptr;
  return leaked == nullptr ? 0 : 1;
}
