"""Polymers as SMILES with a property: a CSV file, and 768 numbers for each polymer.

The numbers are an embedding of the user's, or hashed n-grams of the SMILES text made here. No
language model is run.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.datasets import Dataset, scaled, seeded_split, standardised
from wlnn.tasks.readers import files

WANTED = "a CSV file with the columns smiles,value (Egb.csv of TransPolymer, say)"
COLUMNS = 768
EMBEDDING = f"an N x {COLUMNS} embedding (npz, npy or CSV), a row for each polymer in file order,"
LONGEST = 3  # tokens of an n-gram
# bracket atoms, two-letter elements, ring numbers above 9, then single characters
TOKEN = re.compile(r"\[[^\]]*\]|Br|Cl|Si|%\d\d|.")
NOTE = (
    "no --embedding was given: hashed n-grams of the SMILES text stand in for the embedding of a "
    "chemical language model; the landscape is that of these features"
)


def read_smiles(path) -> tuple[list[str], np.ndarray]:
    """SMILES texts and their values ``(N,)``.

    Raises:
        UserError: no such file, another header, a row of another length, an empty SMILES, a value
            that is no number, or one value for all.
    """
    rows = files.read_rows(path, WANTED)
    header = [name.lower() for name in rows[0][1]]
    if sorted(header) != ["smiles", "value"]:
        raise UserError(f"{path}: the header is '{','.join(rows[0][1])}'; {WANTED} is needed.")
    text, number = header.index("smiles"), header.index("value")
    smiles, values = [], []
    for line, cells in rows[1:]:
        files.check_length(path, line, cells, 2)
        if not cells[text]:
            raise UserError(f"{path}: line {line}, column 'smiles': the cell is empty.")
        smiles.append(cells[text])
        values.append(files.number_in(path, line, "value", cells[number]))
    if min(values) == max(values):
        raise UserError(f"{path}: column 'value' is the same in every row.")
    return smiles, np.array(values)


def ngram_features(smiles: list[str]) -> np.ndarray:
    """Hashed n-grams of SMILES tokens, ``(N, 768)``: one, two and three tokens in a row.

    Every n-gram falls into one of 384 columns by its CRC-32. The first half of a row is ln(1 +
    count), the second half the count divided by the number of tokens.
    """
    half = COLUMNS // 2
    counts = np.zeros((len(smiles), half))
    lengths = np.empty((len(smiles), 1))
    for row, text in enumerate(smiles):
        tokens = TOKEN.findall(text)
        lengths[row] = len(tokens)
        for n in range(1, LONGEST + 1):
            for k in range(len(tokens) - n + 1):
                gram = "\0".join(tokens[k : k + n]).encode()
                counts[row, zlib.crc32(gram) % half] += 1
    return np.concatenate([np.log1p(counts), counts / lengths], axis=1)


def read_embedding(reference, n: int) -> np.ndarray:
    """An embedding ``(n, 768)`` from "file" or, where an npz file holds several, "file:name".

    Raises:
        UserError: no such file or array, another shape, text among the numbers, NaN.
    """
    path, name = _split_name(str(reference))
    if path.suffix.lower() in (".csv", ".txt"):
        found = _embedding_csv(path)
    else:
        arrays = files.read_arrays(path, EMBEDDING)
        if name is not None and name not in arrays:
            raise UserError(f"{path}: holds no '{name}'; it holds {', '.join(arrays)}.")
        fitting = [key for key, array in arrays.items() if array.shape == (n, COLUMNS)]
        if name is None and len(fitting) > 1:
            raise UserError(
                f"{path}: holds several embeddings; write {path}:NAME with one of "
                f"{', '.join(fitting)}."
            )
        if name is None and not fitting:
            shapes = ", ".join(f"{key} {array.shape}".strip() for key, array in arrays.items())
            raise UserError(f"{path}: {EMBEDDING} is needed, N = {n}; found {shapes}.")
        found = arrays[name if name is not None else fitting[0]]
    if found.shape != (n, COLUMNS):
        raise UserError(f"{path}: {EMBEDDING} is needed, N = {n}; found {found.shape}.")
    if found.dtype.kind not in "fiu" or not np.isfinite(found).all():
        raise UserError(f"{path}: the embedding holds NaN, infinity or no numbers.")
    return found.astype(float)


def _split_name(reference: str) -> tuple[Path, str | None]:
    """File and array name of "file:name"; a file whose own name has a colon is taken as it is."""
    head, colon, name = reference.rpartition(":")
    if colon and name and not Path(reference).exists() and Path(head).is_file():
        return Path(head), name
    return Path(reference), None


def _embedding_csv(path: Path) -> np.ndarray:
    rows = files.read_rows(path, EMBEDDING)
    first = rows[0][1]
    names = [str(k + 1) for k in range(len(first))]
    try:
        float(first[0])
    except ValueError:
        names, rows = first, rows[1:]
    found = np.empty((len(rows), len(names)))
    for row, (line, cells) in enumerate(rows):
        files.check_length(path, line, cells, len(names))
        found[row] = [files.number_in(path, line, *pair) for pair in zip(names, cells, strict=True)]
    return found


def read_polymer(
    path,
    embedding=None,
    seed: int = 0,
    points: int = 448,
    test_points: int = 113,
    scale: str = "standard",
) -> Dataset:
    """Polymers shuffled by a seed; 768 inputs, and the value standardised over all rows.

    Args:
        path: the CSV file, or a folder that holds ``Egb.csv``.
        embedding: "file" or "file.npz:name"; None takes :func:`ngram_features`.
        scale: "raw" or "standard" (mean 0 and deviation 1 over the training rows).

    Raises:
        UserError: as :func:`read_smiles` and :func:`read_embedding`; more points than polymers;
            another scale.
    """
    if scale not in ("raw", "standard"):
        raise UserError(f"data.scale = '{scale}' is for images; polymer has 'raw' and 'standard'.")
    path = locate_polymer(path)
    smiles, values = read_smiles(path)
    train, test = seeded_split(path, len(smiles), seed, points, test_points)
    x = ngram_features(smiles) if embedding is None else read_embedding(embedding, len(smiles))
    x_train, x_test = x[train], x[test]
    if scale == "standard":
        x_train, x_test, _, _ = scaled(x_train, x_test)
    y, mean, std = standardised(values)
    source = {
        "file": path.name,
        "inputs": "hashed SMILES n-grams" if embedding is None else Path(str(embedding)).name,
        "scale": scale,
        "target_mean": mean,
        "target_std": std,
        "seed": int(seed),
        "points": int(points),
        "test_points": int(test_points),
    }
    if embedding is None:
        source["notes"] = [NOTE]
    return Dataset(x_train, y[train], x_test, y[test], source)


def locate_polymer(path) -> Path:
    """The CSV file that ``path`` names, or that its folder holds."""
    return files.beside(path, ("Egb.csv", "*.csv"), WANTED)


def embedding_file(reference) -> Path:
    """The file of "file" or "file:name"."""
    return _split_name(str(reference))[0]
