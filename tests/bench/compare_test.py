"""The parts of bench/compare that can be right or wrong; nothing is measured."""

import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import compare
import picture
import report
import suite
from peers import Test, child
from peers.llama_bench import LlamaBench

SVG = "{http://www.w3.org/2000/svg}"


def reading(value, peak=100e6, read=20.0, int8=1000.0):
    return {"value": value, "peak_bytes": peak, "others": 0.0, "read": read, "int8": int8}


def made_test(test, ours, theirs, failure=None, same_model=True):
    readings = {"emelex": ours, "a & b <peer>": theirs}
    return vars(test) | {"name": test.name, "programs": {
        name: {"readings": [v and reading(v) for v in values], "failure": failure if values is theirs else None,
               "same_model": same_model or values is ours} for name, values in readings.items()}}


def made_result(*tests, **changes):
    model = {"title": "A | model <1>", "name": "A", "path": "a.gguf", "file_bytes": 110e6, "active_bytes": 100e6, "experts": False,
             "parameters": 200e6, "layer_products": 150e6, "head_products": 50e6, "kv_bytes_per_token": 1000,
             "tests": list(tests), "failure": None}
    machine = {"cpu": "A <CPU>", "cores": 2, "threads": 2, "memory_gb": 8.0, "system": "Linux", "load_before": (0.1, 0.2, 0.3)}
    return {"machine": machine, "rounds": 3, "versions": {"emelex": "1"}, "probes": [{"read": 20.0, "int8": 1000.0}, {}],
            "models": [model], "interrupted": False} | changes


DECODE = made_test(Test("generate", 100), [100, 120, 110], [50, 100, 55])
PROMPT = made_test(Test("prompt", 512, depth=4096), [1000, 1100, 1200], [None, None, None], "reads no <such> files")
FIRST = made_test(Test("first", 16), [0.1, 0.1, 0.1], [0.2, 0.4, 0.2])


class Figures(unittest.TestCase):
    def test_a_ratio_is_taken_within_a_round(self):
        self.assertEqual(report.ratios([10, 20, 30], [5, 5, 60]), [2, 4, 0.5])

    def test_rounds_without_both_figures_have_no_ratio(self):
        self.assertEqual(report.ratios([10, None, 30, 1], [None, 5, 60]), [0.5])

    def test_spread_is_median_least_and_greatest(self):
        self.assertEqual(report.spread([3.0, 1.0, 2.0]), "2.00 (1.00 – 3.00)")
        self.assertEqual(report.spread([1234.5]), "1,234")
        self.assertEqual(report.spread([]), "–")

    def test_a_step_reads_the_weights_once_for_all_sequences(self):
        model = made_result()["models"][0]
        alone, batch = ({"batch": n, "depth": 1000, "tokens": 100} for n in (1, 4))
        self.assertEqual(report.bytes_per_token(model, alone), 100e6 + 1050e3)
        self.assertEqual(report.bytes_per_token(model, batch), 25e6 + 1050e3)

    def test_memory_limits_generation_and_arithmetic_limits_both(self):
        model = made_result()["models"][0]
        self.assertEqual(report.limits(model, PROMPT, 20, 1000), (None, 1e12 / 300e6))
        self.assertEqual(report.limits(model, DECODE, 20, 1000), (20e9 / 100.05e6, 1e12 / 400e6))
        self.assertEqual(report.limits(model, DECODE, None, None), (None, None))
        self.assertEqual(report.limits(model, FIRST, 20, 1000), (None, None))

    def test_which_experts_several_sequences_need_is_not_known(self):
        model = made_result()["models"][0] | {"experts": True, "layer_products": None}
        self.assertEqual(report.limits(model, DECODE, 20, 1000), (20e9 / 100.05e6, None))
        self.assertEqual(report.limits(model, made_test(Test("generate", 100, batch=8), [1], [1]), 20, 1000), (None, None))

    def test_names_are_those_of_emelex_bench(self):
        self.assertEqual(Test("generate", 32, depth=4096, batch=8).name, "tg32 @ d4096 x b8")


class Reports(unittest.TestCase):
    def test_every_line_of_a_table_has_as_many_cells(self):
        text = report.markdown(made_result(DECODE, PROMPT, FIRST))
        blocks = [b.splitlines() for b in text.split("\n\n") if b.lstrip().startswith("|")]
        self.assertEqual(len(blocks), 3)
        for block in blocks:
            self.assertEqual(len({line.replace("\\|", "").count("|") for line in block}), 1, block)

    def test_a_missing_figure_gives_its_reason(self):
        self.assertIn("reads no <such> files", report.markdown(made_result(PROMPT)))

    def test_the_median_of_ratios_is_shown(self):
        self.assertIn("| 2.00 (1.20 – 2.00) |", report.markdown(made_result(DECODE)))

    def test_time_to_the_first_token_is_in_milliseconds(self):
        self.assertIn("| first token after 16, ms | 100.0 (100.0 – 100.0) | 200.0 (200.0 – 400.0) | 0.50 (0.25 – 0.50) |",
                      report.markdown(made_result(FIRST)))

    def test_a_model_that_failed_and_an_interruption_are_told(self):
        result = made_result(interrupted=True)
        result["models"] = [{"title": "gone.gguf", "tests": [], "failure": "no such file"}]
        text = report.markdown(result)
        self.assertIn("Not measured: no such file", text)
        self.assertIn("Interrupted", text)

    def test_a_busy_machine_is_warned_of(self):
        result = made_result(made_test(Test("generate", 100), [1.0], [1.0]))
        self.assertNotIn("busy with other things", report.markdown(result))
        for program in result["models"][0]["tests"][0]["programs"].values():
            program["readings"][0]["others"] = 0.9
        self.assertIn("busy with other things", report.markdown(result))


class Picture(unittest.TestCase):
    def drawn(self, *tests, **changes):
        return ElementTree.fromstring(picture.svg(made_result(*tests, **changes)))

    def test_it_is_well_formed_whatever_the_names(self):
        texts = [t.text for t in self.drawn(DECODE, PROMPT, FIRST).iter(SVG + "text")]
        self.assertIn("A | model <1>", texts)
        self.assertIn("a & b <peer>: reads no <such> files", texts)

    def test_a_bar_is_as_long_as_the_share(self):
        bars = [r for r in self.drawn(DECODE).iter(SVG + "rect") if r.get("height") == f"{picture.BAR:.1f}"]
        ratio = float(bars[0].get("width")) / float(bars[1].get("width"))
        self.assertAlmostEqual(ratio, 110 / 55, delta=0.01)

    def test_nothing_reaches_over_the_edge(self):
        quick = made_test(Test("generate", 100), [2000, 2100, 9000], [50, 100, 55])  # past what was probed
        for text in self.drawn(quick, PROMPT).iter(SVG + "text"):
            size = float(text.get("font-size"))
            start = 0 if text.get("text-anchor") == "middle" else float(text.get("x"))
            self.assertLessEqual(start + picture.text_width(text.text, size), picture.WIDTH + 1, text.text)

    def test_there_may_be_nothing_to_draw(self):
        self.drawn()
        self.drawn(FIRST, probes=[])


class Programs(unittest.TestCase):
    def test_a_program_that_is_missing_or_fails_gives_a_reason(self):
        with self.assertRaisesRegex(child.Failure, "cannot run nothing-like-it: No such file"):
            child.run(["/nothing-like-it"], 10)
        with self.assertRaisesRegex(child.Failure, "^python[^:]*: the reason$"):
            child.run([sys.executable, "-c", "import sys; sys.exit('before\\nthe reason\\n')"], 60)

    def test_a_program_that_takes_too_long_is_ended(self):
        with self.assertRaisesRegex(child.Failure, "not done in 0.2 s"):
            child.run([sys.executable, "-c", "import time; time.sleep(60)"], 0.2)

    def test_memory_and_output_are_those_of_the_program(self):
        outcome = child.run([sys.executable, "-c", "x = b'x' * 200_000_000; print(len(x))"], 60)
        self.assertEqual(outcome.output, "200000000\n")
        self.assertGreater(outcome.peak_bytes, 200e6)

    def test_a_llama_bench_has_a_name_a_path_and_flags(self):
        named = LlamaBench("ik=/a/llama-bench -fa 1", 2, "emelex")
        self.assertEqual((named.name, named.command), ("ik", ["/a/llama-bench", "-fa", "1"]))
        self.assertEqual(LlamaBench("/a=b/llama-bench", 2, "emelex").name, "llama-bench")

    def test_several_sequences_are_measured_by_the_second_run_of_the_program_beside_llama_bench(self):
        with tempfile.TemporaryDirectory() as folder:
            bench = LlamaBench(f"{folder}/llama-bench -ngl 99", 2, "emelex")
            test = Test("generate", 4, depth=3, batch=8)
            with self.assertRaisesRegex(child.Failure, "its folder has no llama-batched-bench"):
                bench.run({"path": "m.gguf"}, test, 60)
            program = Path(folder) / "llama-batched-bench"
            program.write_text('#!/bin/sh\necho "$@" >&2\necho words\necho \'{"speed_tg": 1}\'\n'
                               'case "$*" in "-ngl 99 -m m.gguf -t 2 -c 56 -npp 3 -ntg 4 -npl 8,8"*)'
                               ' echo \'{"speed_tg": 2.5}\' ;; esac\n')
            program.chmod(0o755)
            self.assertEqual(bench.run({"path": "m.gguf"}, test, 60).value, 2.5)

    def test_rows_of_several_prompts_and_batches_are_rows_of_their_own(self):
        arguments = SimpleNamespace(prompt=[512, 4096], generate=128, short=32, depth=4096, batch=[8, 32])
        self.assertEqual([test.name for _, test in compare.make_tests(arguments, ["prefill", "batch"])],
                         ["pp512", "pp4096", "tg32 x b8", "tg32 x b32"])

    def test_a_model_is_there_whole_or_not_at_all(self):
        def half(target):
            target.write_text("half")
            raise child.Failure("no more room")

        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(child.Failure):
                suite.provide(suite.Entry(Path(folder) / "model.gguf", [], make=half))
            self.assertEqual(list(Path(folder).iterdir()), [])


if __name__ == "__main__":
    unittest.main()
