"""Size, shape and species of the Palmer penguins.

Reads ./data/penguins.csv, writes summary.json, species.csv and penguins.png to ./output.
"""

import csv
import json
import time

import numpy as np

import analysis
import figure

started = time.monotonic()


def say(text):
    print(f"{time.monotonic() - started:5.1f} s  {text}")


rng = np.random.default_rng(2020)

table = analysis.Table("data/penguins.csv")
say(f"read {table.read} penguins, {len(table)} of them measured in full")

by_species = analysis.groups(table)
for row in by_species:
    say(f"  {row['species']:<9} {row['count']:>3} birds  flipper {row['flipper_length_mm_mean']:.1f} mm"
        f"  mass {row['body_mass_g_mean']:.0f} ± {row['body_mass_g_sd']:.0f} g")
with open("output/species.csv", "w", newline="", encoding="utf-8") as file:
    writer = csv.DictWriter(file, by_species[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(by_species)

draws = 40_000
say("regression of mass on flipper and species")
fit = analysis.Regression(
    table, draws, rng, lambda i: i % 10_000 or say(f"  bootstrap {i:>6}/{draws}")
)
say(f"  {fit.slope:.1f} g a millimetre, 95 % from {fit.slope_interval[0]:.1f} to"
    f" {fit.slope_interval[1]:.1f}, R² {fit.r2:.3f}")

scores, share = analysis.components(table)
say(f"two principal components hold {sum(share):.1%} of the variance")

repeats = 200
rates = []
for i in range(repeats):
    counts = analysis.cross_validate(table, 10, rng)
    rates.append(np.trace(counts) / counts.sum())
    if (i + 1) % 50 == 0:
        say(f"cross-validation {i + 1:>3}/{repeats}: {np.mean(rates):.2%} recognised")

say("drawing")
font = figure.draw("output/penguins.png", table, fit, scores, share, counts)
say(f"  output/penguins.png, set in {font}")

with open("output/summary.json", "w", encoding="utf-8") as file:
    json.dump(
        {
            "penguins": {"read": table.read, "measured": len(table)},
            "regression": {
                "gramsPerMillimetre": round(fit.slope, 2),
                "standardError": round(fit.slope_error, 2),
                "interval95": [round(v, 2) for v in fit.slope_interval],
                "residualStandardErrorGrams": round(fit.residual_error, 1),
                "rSquared": round(fit.r2, 4),
            },
            "principalComponents": {"varianceShare": [round(v, 4) for v in share]},
            "classification": {
                "method": "nearest centre by Mahalanobis distance, 10 folds",
                "repeats": repeats,
                "accuracy": round(float(np.mean(rates)), 4),
                "species": table.names,
                "lastConfusion": counts.tolist(),
            },
            "font": font,
        },
        file,
        indent=2,
    )
    file.write("\n")
say("done")
