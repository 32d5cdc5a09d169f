"""What there is to know about the penguins, with nothing but numpy."""

import csv

import numpy as np

MEASURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


class Table:
    """The penguins whose four measurements are all known."""

    def __init__(self, path):
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.read = len(rows)
        rows = [r for r in rows if all(r[m] != "NA" for m in MEASURES)]
        self.names = sorted({r["species"] for r in rows})
        self.species = np.array([self.names.index(r["species"]) for r in rows])
        self.sex = np.array([r["sex"] for r in rows])
        self.x = np.array([[float(r[m]) for m in MEASURES] for r in rows])
        self.flipper = self.x[:, 2]
        self.mass = self.x[:, 3]

    def __len__(self):
        return len(self.x)


def groups(table):
    """Count, means and standard deviations by species."""
    result = []
    for k, name in enumerate(table.names):
        x = table.x[table.species == k]
        row = {"species": name, "count": len(x)}
        for j, measure in enumerate(MEASURES):
            row[f"{measure}_mean"] = round(float(x[:, j].mean()), 2)
            row[f"{measure}_sd"] = round(float(x[:, j].std(ddof=1)), 2)
        result.append(row)
    return result


def design(flipper, species, kinds):
    """One slope for all, an intercept for each species."""
    return np.column_stack([flipper, *((species == k).astype(float) for k in range(kinds))])


class Regression:
    """Body mass on flipper length and species, by least squares."""

    def __init__(self, table, draws, rng, progress):
        kinds = len(table.names)
        a = design(table.flipper, table.species, kinds)
        self.coefficients, *_ = np.linalg.lstsq(a, table.mass, rcond=None)
        residuals = table.mass - a @ self.coefficients
        self.freedom = len(table) - a.shape[1]
        variance = residuals @ residuals / self.freedom
        self.covariance = variance * np.linalg.inv(a.T @ a)
        self.slope = float(self.coefficients[0])
        self.slope_error = float(np.sqrt(self.covariance[0, 0]))
        self.residual_error = float(np.sqrt(variance))
        total = table.mass - table.mass.mean()
        self.r2 = float(1 - residuals @ residuals / (total @ total))
        # How far to trust that slope, without believing in normal residuals.
        slopes = np.empty(draws)
        for i in range(draws):
            pick = rng.integers(0, len(table), len(table))
            fit, *_ = np.linalg.lstsq(a[pick], table.mass[pick], rcond=None)
            slopes[i] = fit[0]
            progress(i + 1)
        self.slope_interval = [float(v) for v in np.percentile(slopes, [2.5, 97.5])]

    def predict(self, flipper, species):
        """The line of a species, and the standard error of its mean."""
        kinds = len(self.coefficients) - 1
        a = design(flipper, np.full(len(flipper), species), kinds)
        error = np.sqrt(np.einsum("ij,jk,ik->i", a, self.covariance, a))
        return a @ self.coefficients, error


def components(table):
    """The first two principal components of the standardised measurements."""
    z = (table.x - table.x.mean(axis=0)) / table.x.std(axis=0, ddof=1)
    _, s, vt = np.linalg.svd(z, full_matrices=False)
    # A component has no sign of its own: let the bigger animal lie to the right,
    # the longer bill above.
    vt[0] *= np.sign(vt[0, 3])
    vt[1] *= np.sign(vt[1, 0])
    share = s**2 / np.sum(s**2)
    return z @ vt[:2].T, [float(v) for v in share[:2]]


def nearest(train_x, train_y, test_x, kinds):
    """The nearest species centre, by the distance that the pooled covariance gives."""
    centres = np.array([train_x[train_y == k].mean(axis=0) for k in range(kinds)])
    spread = train_x - centres[train_y]
    inverse = np.linalg.inv(spread.T @ spread / (len(train_x) - kinds))
    d = test_x[:, None, :] - centres[None, :, :]
    return np.argmin(np.einsum("ikj,jl,ikl->ik", d, inverse, d), axis=1)


def cross_validate(table, folds, rng):
    """Counts of true species (rows) against guessed ones, each guess made unseen."""
    kinds = len(table.names)
    fold = np.empty(len(table), dtype=int)
    for k in range(kinds):
        where = rng.permutation(np.flatnonzero(table.species == k))
        fold[where] = np.arange(len(where)) % folds
    counts = np.zeros((kinds, kinds), dtype=int)
    for f in range(folds):
        held = fold == f
        guess = nearest(table.x[~held], table.species[~held], table.x[held], kinds)
        np.add.at(counts, (table.species[held], guess), 1)
    return counts


def density(values, at):
    """A smooth histogram: Gaussian kernels with Silverman's width."""
    width = 0.9 * values.std(ddof=1) * len(values) ** -0.2
    d = (at[:, None] - values[None, :]) / width
    return np.exp(-0.5 * d * d).sum(axis=1) / (len(values) * width * np.sqrt(2 * np.pi))
