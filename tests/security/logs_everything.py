"""A script that lets a secret slip wherever a script can, and then fails.

Each secret comes from the environment under a name that gives nothing away, so that each can be traced back
to the place where it slipped; and each is one that a person would call a secret where it stands.
"""

import os

import numpy as np

import runcast

CANARY = {
    name.removeprefix("PLANTED_").lower(): v for name, v in os.environ.items() if name.startswith("PLANTED_")
}
URL = f"https://ada:{CANARY['url']}@example.invalid/data"
PARAMS = {
    "api_key": CANARY["param"],
    "db_password": CANARY["param"],
    "optimizer": {"lr": 0.1, "auth": {"token": CANARY["nested"], "secrets": [CANARY["listed"]]}},
    "command": ["train", "--password", CANARY["listed"]],
    "data": URL,
    "hint": f"export WANDB_API_KEY={CANARY['text']}",
    f"password={CANARY['key']}": 1,
    "plain_looking": os.environ["WANDB_API_KEY"],
    "also_plain": [os.environ["MLFLOW_TRACKING_PASSWORD"], {"deep": os.environ["AWS_SECRET_ACCESS_KEY"]}],
}
TAGS = {"owner": "ada", "access_token": CANARY["tag"], "where": URL}

run = runcast.start("secrets", name="leaky", params=PARAMS, tags=TAGS, notes=f"use password={CANARY['note']}")
run.log({"loss": 1.0}, step=0)
run.log({"message": runcast.Text(f"Authorization: Bearer {CANARY['header']}")}, step=0)
run.log({"page": runcast.Html(f"<a href='{URL}'>password={CANARY['text']}</a>")}, step=0)
picture = runcast.Image(
    np.zeros((4, 4), "uint8"), caption=f"password={CANARY['caption']}", metadata={"token": CANARY["caption"]}
)
run.log({"picture": picture}, step=1)
run.log({"rows": runcast.Table([["ada", CANARY["table"]], [URL, "x"]], columns=["user", "password"])}, step=1)
run.log({"bad": f"password={CANARY['text']}", f"token={CANARY['key']}9": object()}, step=2)
run.log_artifact(
    "data.txt", name="data", type="dataset", aliases=["best"], description=f"from {URL}",
    metadata={"password": CANARY["metadata"], "source": URL},
)  # fmt: skip
run.log_artifact(URL, name="remote", type="dataset")
run.log_dataset({"x": np.zeros(3)}, name="rows", source=URL, metadata={"token": CANARY["metadata"]})
headers = {"Authorization": f"Bearer {CANARY['header']}", "Cookie": CANARY["header"]}


@run.trace
def ask(question: str, api_key: str) -> dict[str, object]:
    """A step whose arguments and result are kept."""
    return {"answer": 42, "password": CANARY["span"]}


with run.trace("agent", session="s", tags={"token": CANARY["tag"]}) as span:
    span.set_inputs({"headers": headers, "url": URL})
    span.set_attributes({"api_key": CANARY["span"]})
    span.add_event("called", {"authorization": f"Bearer {CANARY['header']}"})
    ask("what?", CANARY["span"])
run.log_llm(
    messages=[{"role": "user", "content": f"my password={CANARY['span']}"}], completion="ok", model="m"
)
print(runcast.current_run(), run.refs)
raise RuntimeError(
    f"cannot connect to {URL}: password={CANARY['error']} refused, key {os.environ['WANDB_API_KEY']}"
)
