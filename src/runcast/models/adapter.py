"""What a pyfunc pickle holds: an object of this class, by value.

MLflow calls ``load_context`` and ``predict(context, model_input, params)``. The class travels inside the
pickle, so that whoever loads it needs neither runcast nor MLflow; therefore this module imports nothing.
"""

# annotations would tie the pickle to this module's imports


class NoHints:
    """What MLflow asks a model for about the types of its input and output: nothing is known."""

    input = None
    output = None


class Predictor:
    """A model behind MLflow's interface.

    Attributes:
        model: what the script gave.
    """

    predict_type_hints = NoHints()

    def __init__(self, model) -> None:  # type: ignore[no-untyped-def]  # see above
        self.model = model

    def load_context(self, context) -> None:  # type: ignore[no-untyped-def]  # see above
        """There is nothing beside the model to load."""

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # see above
        """What the model says to an input; `params` are passed on by name."""
        call = self.model.predict if hasattr(self.model, "predict") else self.model
        return call(model_input, **params) if params else call(model_input)
