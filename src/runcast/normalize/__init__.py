"""Whatever a script hands over, made into the plain values that records hold.

Pure functions on the training thread: nothing here imports NumPy or torch (their scalars are recognised
by what they can do), and no input makes a function raise. What cannot be kept comes back as a
`Problem` that names the key, the cause and the mend.
"""

from runcast.normalize.flatten import flatten
from runcast.normalize.metrics import metrics, step
from runcast.normalize.params import params, plain, tags
from runcast.normalize.problem import Problem

__all__ = ["Problem", "flatten", "metrics", "params", "plain", "step", "tags"]
