"""A parent run with one child per configuration: a small grid search."""

import itertools

import runcast

with runcast.start("grid", name="search") as search:
    best = (0.0, "")
    for lr, depth in itertools.product([0.01, 0.1, 1.0], [1, 2]):
        with search.child(f"lr={lr}-depth={depth}", params={"lr": lr, "depth": depth}) as trial:
            for step in range(20):
                score = depth / 2 * (1 - abs(lr - 0.1)) * (1 - 0.9**step)
                trial.log({"score": score}, step=step)
            best = max(best, (score, trial.name))
    search.log({"best/score": best[0]})
    search.set_tags({"best": best[1]})
print(f"best: {best[1]}")
