"""House prices of Ames, Iowa: Kaggle's ``train.csv`` as 331 features and a standardised target.

36 numeric columns are standardised over all rows (population); 43 columns of words become one
column per word and one for "missing", which makes 252 + 43 of them. Only the token NA is missing:
"None" (of MasVnrType) is a word like any other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.datasets import Dataset, seeded_split, standardised
from wlnn.tasks.readers import files

WANTED = "train.csv of Kaggle's 'House Prices: Advanced Regression Techniques'"
MISSING = "NA"
ROWS, FEATURES = 1460, 331
TARGET = "SalePrice"
NUMERIC = (
    "MSSubClass", "LotFrontage", "LotArea", "OverallQual", "OverallCond", "YearBuilt",
    "YearRemodAdd", "MasVnrArea", "BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF",
    "1stFlrSF", "2ndFlrSF", "LowQualFinSF", "GrLivArea", "BsmtFullBath", "BsmtHalfBath",
    "FullBath", "HalfBath", "BedroomAbvGr", "KitchenAbvGr", "TotRmsAbvGrd", "Fireplaces",
    "GarageYrBlt", "GarageCars", "GarageArea", "WoodDeckSF", "OpenPorchSF", "EnclosedPorch",
    "3SsnPorch", "ScreenPorch", "PoolArea", "MiscVal", "MoSold", "YrSold",
)  # fmt: skip
WORDS = (
    "MSZoning", "Street", "Alley", "LotShape", "LandContour", "Utilities", "LotConfig",
    "LandSlope", "Neighborhood", "Condition1", "Condition2", "BldgType", "HouseStyle", "RoofStyle",
    "RoofMatl", "Exterior1st", "Exterior2nd", "MasVnrType", "ExterQual", "ExterCond", "Foundation",
    "BsmtQual", "BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2", "Heating", "HeatingQC",
    "CentralAir", "Electrical", "KitchenQual", "Functional", "FireplaceQu", "GarageType",
    "GarageFinish", "GarageQual", "GarageCond", "PavedDrive", "PoolQC", "Fence", "MiscFeature",
    "SaleType", "SaleCondition",
)  # fmt: skip


def house_features(path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features ``(1460, 331)``, sale prices ``(1460,)`` in dollars and the features' names.

    A missing number becomes 0 after standardising: the mean of its column.

    Raises:
        UserError: no such file, other columns or another number of rows, a word among numbers, an
            empty cell.
    """
    rows = files.read_rows(path, WANTED)
    header = rows[0][1]
    if TARGET not in header and "Id" in header:
        raise UserError(
            f"{path}: there is no column '{TARGET}': this is Kaggle's test.csv; {WANTED} is needed."
        )
    known = {"Id", TARGET, *NUMERIC, *WORDS}
    for name in (*NUMERIC, *WORDS, TARGET):
        if header.count(name) != 1:
            raise UserError(
                f"{path}: the header has {header.count(name) or 'no'} column"
                f"{'s' * (header.count(name) > 1)} '{name}'; {WANTED} is needed."
            )
    foreign = [name for name in header if name not in known]
    if foreign:
        raise UserError(f"{path}: column '{foreign[0]}' is unknown; {WANTED} is needed.")
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            raise UserError(
                f"{path}: line {line} has {len(cells)} cells, the header {len(header)}; the file "
                "is cut short or damaged."
            )
    if len(rows) != 1 + ROWS:
        raise UserError(f"{path}: has {len(rows) - 1} rows of houses, {WANTED} has {ROWS}.")
    columns, names = [], []
    for name in NUMERIC:
        at = header.index(name)
        values = np.array(
            [
                np.nan if cells[at] == MISSING else files.number_in(path, line, name, cells[at])
                for line, cells in rows[1:]
            ]
        )
        columns.append(_standardised(values))
        names.append(name)
    for name in WORDS:
        cells = np.array(
            [_word(path, line, name, row[header.index(name)]) for line, row in rows[1:]]
        )
        for word in [*sorted(set(cells) - {MISSING}), MISSING]:
            columns.append((cells == word).astype(float))
            names.append(f"{name}_{word}")
    if len(columns) != FEATURES:
        raise UserError(
            f"{path}: its words make {len(columns)} features instead of {FEATURES}; take {WANTED} "
            "as it is."
        )
    at = header.index(TARGET)
    price = np.array([files.number_in(path, line, TARGET, row[at]) for line, row in rows[1:]])
    if not (price > 0).all():
        raise UserError(f"{path}: column '{TARGET}' has prices that are not positive.")
    return np.stack(columns, axis=1), price, names


def _word(path, line: int, column: str, cell: str) -> str:
    if not cell:
        raise UserError(
            f"{path}: line {line}, column '{column}': the cell is empty; what is missing is "
            f"written {MISSING}."
        )
    return cell


def _standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0 and population deviation 1 over the known values; 0 for NaN and for a constant."""
    known, found = ~np.isnan(values), np.zeros(values.shape)
    if known.any() and (values[known] != values[known][0]).any():
        found[known] = standardised(values[known])[0]
    return found


def read_house(path, seed: int = 0, points: int = 730, test_points: int = 730) -> Dataset:
    """Houses shuffled by a seed: ``points`` to train and ``test_points`` others to test.

    The target is ln(SalePrice), standardised over all rows.

    Args:
        path: ``train.csv``, or the folder that holds it.

    Raises:
        UserError: as :func:`house_features`, or more points than there are houses.
    """
    path = locate_house(path)
    x, price, _ = house_features(path)
    train, test = seeded_split(path, ROWS, seed, points, test_points)
    target = np.log(price)
    mean, std = target.mean(), target.std()
    y = (target - mean) / std
    source = {
        "file": path.name,
        "target": "ln(SalePrice), standardised over all rows",
        "target_mean": float(mean),
        "target_std": float(std),
        "seed": int(seed),
        "points": int(points),
        "test_points": int(test_points),
    }
    return Dataset(x[train], y[train], x[test], y[test], source)


def locate_house(path) -> Path:
    """The CSV file that ``path`` names, or that its folder holds."""
    return files.beside(path, ("train.csv", "train.csv.gz"), WANTED)
