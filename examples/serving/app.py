"""Serve the model that is in production, and log what it answers to every configured tracker.

No request waits for a tracker: the model is in memory, one thread looks for a newer one, and another hands
the window of predictions to runcast, which writes it into the journal and delivers it when it can.
"""

import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from served import Row, Served
from windows import Seen, Window, summary

import runcast

MODEL = os.environ.get("SERVING_MODEL", "tumour/production")
REGISTRY = os.environ.get("SERVING_REGISTRY", "local")
LOOK_EVERY = float(os.environ.get("SERVING_LOOK_EVERY", "5"))  # seconds
LOG_EVERY = float(os.environ.get("SERVING_LOG_EVERY", "60"))  # seconds


class Question(BaseModel):
    """Rows to predict: column → number."""

    rows: list[Row] = Field(min_length=1, max_length=100)


class Answer(BaseModel):
    """One score (probability of the second class) and one class for each row."""

    model: str
    scores: list[float]
    predictions: list[int]


class Service:
    """The model in use, and the two threads beside it."""

    def __init__(self) -> None:
        self.registry = runcast.registry(REGISTRY)
        self.run = runcast.start("serving", name=MODEL.replace("/", "-"), params={"model": MODEL})
        self.served: Served | None = None
        self.problem: str | None = "the registry has not answered yet"
        self.window, self.ending = Window(), threading.Event()
        self.threads = [threading.Thread(target=each, daemon=True) for each in (self.look, self.keep)]
        for thread in self.threads:
            thread.start()

    def look(self) -> None:
        """Replace the model when another version is in production."""
        while True:
            try:
                version = self.registry.get(MODEL)
                if self.served is None or self.served.version.identity != version.identity:
                    self.served = Served(self.registry, version)  # whole, then in one step
                self.problem = None
            except Exception as error:  # whatever a registry or a foreign model does, the old one answers
                self.problem = f"{type(error).__name__}: {error}"
            if self.ending.wait(LOOK_EVERY):
                return

    def keep(self) -> None:
        """Log a window every so often, and the last one at the end."""
        ended = False
        while not ended:
            ended = self.ending.wait(LOG_EVERY)
            for served, seen in self.window.take().items():
                self.run.log({"version": served.version.version, **summary(seen, served.training)})

    def end(self) -> None:
        """Log what is left; what trackers do not take in a second is delivered later."""
        self.ending.set()
        self.threads[1].join()
        self.run.finish(timeout=1)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One service for as long as the server runs."""
    app.state.service = service = Service()
    yield
    service.end()


app = FastAPI(title="runcast serving", lifespan=lifespan)


@app.exception_handler(RequestValidationError)
async def refuse(request: Request, error: RequestValidationError) -> JSONResponse:
    """What is wrong with a question, without repeating it: JSON has no NaN."""
    said = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]]
    return JSONResponse({"detail": "; ".join(said)}, status_code=422)


def current(request: Request) -> Served:
    """The model in use."""
    service = request.app.state.service
    if service.served is None:
        raise HTTPException(503, f"there is no model yet: {service.problem}")
    return service.served


@app.post("/predict")
def predict(question: Question, request: Request) -> Answer:
    """Predict; the whole answer is of one version."""
    began, served = time.perf_counter(), current(request)
    try:
        inputs, scores, classes = served.predict(question.rows)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    ms = 1000 * (time.perf_counter() - began)
    request.app.state.service.window.add(served, Seen(ms, inputs, scores))
    return Answer(model=str(served.version), scores=scores.tolist(), predictions=classes.tolist())


@app.get("/model_info")
def model_info(request: Request) -> dict[str, Any]:
    """Which version answers, since when, and what the last look at the registry met."""
    served, service = current(request), request.app.state.service
    v = served.version
    return {
        "name": v.name, "version": v.version, "stage": v.stage, "registry": v.registry, "digest": v.digest,
        "trained_by": v.run, "metrics": {k: m if np.isfinite(m) else None for k, m in v.metrics.items()},
        "columns": served.columns, "since": served.since,
        "problem": service.problem, "logged_by": service.run.id,
    }  # fmt: skip
