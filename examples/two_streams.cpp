// Two answers at once: two_streams MODEL. Both are computed in the same steps.
#include <emelex/engine.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const auto engine = emelex::Engine::load(argv[1]);
    emelex::GenerateOptions options;
    options.max_tokens = 60;
    const auto haiku = engine->submit(engine->chat_prompt({{"user", "Write a haiku."}}), options);
    const auto joke = engine->submit(engine->chat_prompt({{"user", "Tell me a joke."}}), options);
    for (emelex::Ticket* ticket : {haiku.get(), joke.get()}) {
      while (const auto event = ticket->next()) {
        std::cout << event->text << std::flush;
        if (event->error) throw *event->error;
      }
      std::cout << "\n\n";
    }
  } catch (const emelex::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
