"""Embeddings: the digits in ten dimensions, with labels and pictures, as TensorBoard's projector shows it."""

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import runcast

digits = load_digits(n_class=6)
pictures = digits.images[:300] / 16
rows = [[str(label), str(number)] for number, label in enumerate(digits.target[:300])]

with runcast.start("digits", name="embedding", params={"dims": 10, "method": "pca"}) as run:
    pca = PCA(10, random_state=0).fit(digits.data)
    vectors = pca.transform(digits.data[:300])
    run.log({"digits": runcast.Embedding(vectors, rows, columns=["digit", "row"], images=pictures)})
    run.log({"pca/explained": pca.explained_variance_ratio_.sum()})
    for step, share in enumerate(pca.explained_variance_ratio_):
        run.log({"pca/component": share}, step=step)
