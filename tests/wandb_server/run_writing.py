"""What a client says about runs."""

from __future__ import annotations

from typing import Any

from .artifacts import type_made
from .errors import Refused
from .projects import Project
from .runs import SUMMARY, Run
from .state import State
from .things import StoredFile

Input = dict[str, Any]

_SAID = {
    "group_name": "group", "description": "description", "display_name": "display_name", "notes": "notes",
    "config": "config", "commit": "commit", "host": "host", "job_program": "program", "job_type": "job_type",
    "tags": "tags", "state": "forced_state",
}  # fmt: skip


class RunMutations:
    """The mutations that make and change runs."""

    home: State

    def upsert_bucket(self, input: Input) -> dict[str, Any]:
        """Make a run, or change what is said of it; what is null stays as it is."""
        run, inserted = _wanted(self.home, input)
        for said, attribute in _SAID.items():
            if input.get(said) is not None:
                setattr(run, attribute, input[said])
        if input.get("sweep"):
            run.sweep = run.project.stored_sweeps.get(input["sweep"])
            if run.sweep is None:
                raise Refused(f"sweep {input['sweep']} not found")
        if input.get("summary_metrics") is not None:
            run.stream({SUMMARY: {"offset": 0, "content": [input["summary_metrics"]]}})
        return {"bucket": run, "inserted": inserted}

    def rewind_run(self, input: Input) -> dict[str, Any]:
        """Forget the rows behind a step."""
        run = self._run(input)
        if input["metric_name"] != "_step":
            raise Refused("a run can be rewound by _step only")
        run.keep_rows(lambda row: row["_step"] <= input["metric_value"])
        return {"rewoundRun": run}

    def _run(self, input: Input) -> Run:
        project = self.home.project(input.get("entity_name"), input.get("project_name"))
        run = project.run(input["run_name"])
        if run is None:
            raise Refused(f"run {input['run_name']} not found")
        return run

    def create_run_files(self, input: Input) -> dict[str, Any]:
        """Places to upload files to, in the order asked for."""
        run = self._run(input)
        return {"runID": run.id, "uploadHeaders": [], "files": [run.place(name) for name in input["files"]]}

    def mark_run_files_uploaded(self, input: Input) -> dict[str, Any]:
        """Believed only of files that are there."""
        run = self._run(input)
        missing = [name for name in input["files"] if run.place(name).content is None]
        if missing:
            raise Refused(f"not uploaded: {missing}")
        return {"success": True}

    def delete_files(self, input: Input) -> dict[str, Any]:
        """Forget files of runs."""
        for wanted in input["files"]:
            file = self.home.find(StoredFile, wanted)
            self.home.blobs.pop(file.key, None)
        return {"success": True}

    def delete_run(self, input: Input) -> dict[str, Any]:
        """Forget a run, and the artifacts that it logged if that is said."""
        run = self.home.find(Run, input["id"])
        for artifact in list(run.logged) if input.get("delete_artifacts") else ():
            for member in list(artifact.members):
                member.artifact_collection.remove(artifact)
            artifact.state = "DELETED"
        del run.project.stored_runs[run.name]
        return {"clientMutationId": None}

    def stop_run(self, input: Input) -> dict[str, Any]:
        """Tell the run, when it next streams, that it should stop."""
        self.home.find(Run, input["id"]).stop_requested = True
        return {"success": True}

    def update_run_state(self, input: Input) -> dict[str, Any]:
        """Say that a run is pending or has failed."""
        if input["state"] not in ("pending", "failed"):
            raise Refused(f"a run cannot be made {input['state']}")
        self.home.find(Run, input["id"]).forced_state = input["state"]
        return {"success": True}

    def notify_scriptable_run_alert(self, input: Input) -> dict[str, Any]:
        """Keep an alert."""
        self._run(input).alerts.append(
            {key: input.get(key) for key in ("title", "text", "severity", "wait_duration")}
        )
        return {"success": True}

    def upsert_model(self, input: Input) -> dict[str, Any]:
        """Make or change a project or a registry."""
        project, inserted = self._project(input)
        for key in ("description", "access", "views", "allow_all_artifact_types_in_registry"):
            if input.get(key) is not None:
                setattr(project, key, input[key])
        for kind in input.get("artifact_types") or ():
            type_made(project, kind["name"], kind.get("description"))
        return {"project": project, "model": project, "inserted": inserted}

    def _project(self, input: Input) -> tuple[Project, bool]:
        if input.get("id"):
            return self.home.find(Project, input["id"]), False
        owner = self.home.entity(input.get("entity_name"))
        known = input.get("name") in owner.owned
        return self.home.project_made(owner.name, input.get("name")), not known

    def rename_project(self, input: Input) -> dict[str, Any]:
        """Give a project another name."""
        project = self.home.project(input["entity_name"], input["old_project_name"])
        owned = project.entity.owned
        del owned[project.name]
        project.name = input["new_project_name"]
        owned[project.name] = project
        return {"project": project, "model": project, "inserted": False}

    def delete_model(self, input: Input) -> dict[str, Any]:
        """Forget a project."""
        project = self.home.find(Project, input["id"])
        del project.entity.owned[project.name]
        return {"success": True}


def _wanted(home: State, input: Input) -> tuple[Run, bool]:
    if input.get("id"):
        return home.find(Run, input["id"]), False
    project = home.project_made(input.get("entity_name"), input.get("model_name"))
    name = input.get("name")
    if not name:
        raise Refused("a run needs a name")
    if name in project.stored_runs:
        return project.stored_runs[name], False
    project.stored_runs[name] = Run(home, project, name, display_name=name)
    return project.stored_runs[name], True
