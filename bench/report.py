"""What bench/compare found: medians, ratios and shares of the limits, as Markdown. Pure functions of the result that
compare.py puts together and --json writes; a reading is {"value", "peak_bytes", "others", "memory", "read", "int8"}, or null where there is
none. "read" is "memory", what the program itself found its weights' memory to give during the run, or else what probes around it did."""

import statistics

BUSY = 0.1  # processors taken by others from which on figures are worth little


def median(values):
    return statistics.median(values) if values else None


def readings(test, program, key="value"):
    """One of each round, None where there is none."""
    return [r and r.get(key) for r in test["programs"][program]["readings"]]


def present(values):
    return [v for v in values if v is not None]


def ratios(ours, theirs):
    """Within each round, for the machine may be another one in the next."""
    return [a / b for a, b in zip(ours, theirs) if a is not None and b]


def bytes_per_token(model, test):
    """Weights are read once for all sequences, each one's cache for itself; tokens generated count by half."""
    return model["active_bytes"] / test["batch"] + model["kv_bytes_per_token"] * (test["depth"] + test["tokens"] / 2)


def limits(model, test, read, int8):
    """Tokens a second that memory and arithmetic allow, each None where not known or meaningless. Attention is not counted in
    the arithmetic, nor is memory for prompts."""
    if test["kind"] == "first":
        return None, None
    layers = model["layer_products"]
    generates = test["kind"] == "generate"
    known = not (model["experts"] and test["batch"] > 1)  # which experts several sequences need is not
    memory = read * 1e9 / bytes_per_token(model, test) if generates and read and known else None
    products = layers and layers + (model["head_products"] if generates else 0)
    arithmetic = int8 * 1e9 / (2 * products) if products and int8 else None
    return memory, arithmetic


def shares(model, test, program):
    """Of the lower limit, as probed in or around each run."""
    values = []
    for reading in test["programs"][program]["readings"]:
        if reading:
            known = present(limits(model, test, reading["read"], reading["int8"]))
            if known:
                values.append(reading["value"] / min(known))
    return values


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values, form=number):
    """median (min – max)"""
    if not values:
        return "–"
    if len(values) == 1:
        return form(values[0])
    return f"{form(median(values))} ({form(min(values))} – {form(max(values))})"


def percent(value):
    return f"{100 * value:.0f}%"


def table(head, rows):
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *cells]) + "\n"


def figure(test, program, key, form):
    """A cell: what was measured, or why it was not."""
    failure = test["programs"][program]["failure"]
    values = present(readings(test, program, key))
    return "; ".join(present([spread(values, form) if values else None, failure])) or "–"


def speed_table(model, programs):
    ours, peers = programs[0], programs[1:]
    rows = []
    for test in model["tests"]:
        first = test["kind"] == "first"
        form = (lambda v: number(v * 1000)) if first else number
        row = [test["name"] + (", ms" if first else ", tok/s")] + [figure(test, p, "value", form) for p in programs]
        row += [spread(ratios(readings(test, ours), readings(test, p)), "{:.2f}".format) for p in peers]
        rows.append(row)
    return table(["test", *programs, *(f"{ours} / {p}" for p in peers)], rows)


def limit_words(model, test, read, int8):
    memory, arithmetic = limits(model, test, read, int8)
    if memory and not (arithmetic and arithmetic < memory):
        return f"{number(memory)}: {number(bytes_per_token(model, test) / 1e6)} MB at {number(read)} GB/s"
    if arithmetic:
        return f"{number(arithmetic)}: {number(int8 / arithmetic)} GOP at {number(int8)} GOP/s"
    return None


def share_table(model, programs):
    rows = []
    for test in model["tests"]:
        read, int8 = (median(present(readings(test, programs[0], key))) for key in ("read", "int8"))
        words = limit_words(model, test, read, int8)
        if words:
            rows.append([test["name"], words] + [
                spread(shares(model, test, p), percent) if test["programs"][p]["same_model"] else "another model"
                for p in programs])
    return table(["test", "limit, tok/s", *programs], rows) if rows else ""


def expected_bytes(model, test):
    return model["file_bytes"] + model["kv_bytes_per_token"] * test["batch"] * (test["depth"] + test["tokens"])


def memory_table(model, programs):
    rows = []
    for test in model["tests"]:
        row = [test["name"], number(expected_bytes(model, test) / 1e6)]
        for program in programs:
            peaks = present(readings(test, program, "peak_bytes"))
            row.append(f"{number(max(peaks) / 1e6)} ({max(peaks) / expected_bytes(model, test):.2f})" if peaks else "–")
        rows.append(row)
    return table(["test", "file + cache, MB", *(f"{p}, MB (of it)" for p in programs)], rows)


def others_busy(result):
    return [r["others"] for m in result["models"] for t in m["tests"] for p in t["programs"].values()
            for r in p["readings"] if r and r["others"] is not None]


def was_busy(result):
    return (median(others_busy(result)) or 0) > BUSY


def rounds(result):
    return f"{result['rounds']} round" + ("s" if result["rounds"] > 1 else "")


def machine_lines(result):
    machine = result["machine"]
    load = " / ".join(" ".join(f"{v:.2f}" for v in machine[k]) for k in ("load_before", "load_after") if machine.get(k))
    lines = [f"{machine['cpu']}: {machine['cores']} cores, {machine['memory_gb']:.0f} GB; {machine['system']}",
             f"{machine['threads']} threads, {rounds(result)}; load average before / after: {load}"]
    for key, words, unit in (("read", "read bandwidth", "GB/s"), ("read_file", "the same, from the mapped file", "GB/s"),
                             ("int8", "8-bit integer arithmetic", "GOP/s")):
        values = present([probe.get(key) for probe in result["probes"]])
        if values:
            lines.append(f"{words}, {len(values)} probes between the runs: {spread(values)} {unit}")
    others = others_busy(result)
    if others:
        lines.append(f"processors busy with something else during a run: {spread(others, '{:.2f}'.format)}")
    return lines + [f"{name}: {version}" for name, version in result["versions"].items()]


def markdown(result):
    parts = ["# emelex and others, side by side\n", "\n".join(f"- {line}" for line in machine_lines(result)) + "\n"]
    if result["interrupted"]:
        parts.append("Interrupted: what was measured until then.\n")
    if was_busy(result):
        parts.append("**The machine was busy with other things, which slows programs by more than their share: repeat this on a "
                     "quiet one.**\n")
    parts.append("Median (min – max) of the rounds; a ratio is taken within each round.\n")
    for model in result["models"]:
        if model.get("failure"):
            parts += [f"## {model['title']}\n", f"Not measured: {model['failure']}\n"]
            continue
        programs = list(model["tests"][0]["programs"]) if model["tests"] else []
        parts.append(f"## {model['title']}\n")
        parts.append(f"{model['parameters'] / 1e6:,.0f} M parameters, {model['file_bytes'] / 1e6:,.0f} MB\n")
        if programs:
            parts += [speed_table(model, programs),
                      f"Of the limit that was probed around each run, or in it where {programs[0]} generates; in words {programs[0]}'s:\n",
                      share_table(model, programs) or "(not probed)\n", "Peak resident memory:\n",
                      memory_table(model, programs)]
    return "\n".join(parts)
