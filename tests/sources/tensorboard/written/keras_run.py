"""Makes ``keras/``: what Keras' own TensorBoard callback and TensorFlow's HParams write.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 tensorboard==2.21.0
    python keras_run.py FOLDER

TensorFlow takes 1.6 GB, so its files are kept here and not made by the tests.
"""

import sys

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hp

keras.utils.set_random_seed(1)
inputs = np.arange(16, dtype="float32").reshape(8, 2) / 16
targets = inputs.sum(axis=1, keepdims=True)
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.125), "mse", metrics=["mae"])
history = model.fit(
    inputs,
    targets,
    epochs=3,
    batch_size=4,
    validation_data=(inputs, targets),
    verbose=0,
    callbacks=[
        keras.callbacks.TensorBoard(sys.argv[1], histogram_freq=1, update_freq="epoch", write_graph=True),
        hp.KerasCallback(sys.argv[1], {"lr": 0.125, "optimizer": "sgd"}),
    ],
)
with tf.summary.create_file_writer(sys.argv[1] + "/extra").as_default():
    tf.summary.scalar("loss", 0.1, step=2**40)
    tf.summary.image("picture", np.zeros((1, 2, 4, 3), np.uint8), step=1)
    tf.summary.text("said", "words", step=2)
print({name: [float(value) for value in values] for name, values in history.history.items()})
