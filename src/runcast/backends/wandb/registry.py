"""Links a model's version to a collection of a W&B registry.

After the upload, and not by a wish in the log: W&B's client carries such a wish out without waiting for the
version that it speaks of.
"""

from __future__ import annotations

from typing import Any

from runcast.backends.wandb import probe

_ORGANIZATION = """query FetchOrgInfoFromEntity($entity: String!) { entity(name: $entity) {
 organization { name orgEntity { name } } user { organizations { name orgEntity { name } } } } }"""
_LINK = """mutation LinkArtifact($artifactPortfolioName: String!, $entityName: String!, $projectName: String!,
 $aliases: [ArtifactAliasInput!], $clientId: ID) { linkArtifact(input: {
 artifactPortfolioName: $artifactPortfolioName, entityName: $entityName, projectName: $projectName,
 aliases: $aliases, clientID: $clientId }) { versionIndex } }"""


def organization(base_url: str, entity: str) -> str:
    """The entity that holds the registries of a user's or team's organization; ``""`` where there is none.

    Raises:
        Refused: the server says no; Halt, Retry: as of `probe.query`.
    """
    found = probe.query(base_url, _ORGANIZATION, {"entity": entity}).get("entity") or {}
    own = [found.get("organization")]
    if not own[0]:
        own = list((found.get("user") or {}).get("organizations") or [])
    # A user of several organizations must say which: `entity` as a team of that one.
    return str(own[0]["orgEntity"]["name"]) if len(own) == 1 and own[0] else ""


def link(base_url: str, organization: str, registry: str, wanted: dict[str, Any]) -> None:
    """Link a version; linking it again changes nothing.

    Args:
        base_url: the server.
        organization: see above.
        registry: its name, without ``wandb-registry-``.
        wanted: ``client_id`` of the version, ``collection``, ``aliases``.

    Raises:
        Refused: the server says no, such as where there is no such registry.
        Halt, Retry: as of `probe.query`.
    """
    aliases = [{"artifactCollectionName": wanted["collection"], "alias": a} for a in wanted["aliases"]]
    variables = {
        "artifactPortfolioName": wanted["collection"], "entityName": organization, "aliases": aliases,
        "projectName": f"wandb-registry-{registry}", "clientId": wanted["client_id"],
    }  # fmt: skip
    probe.query(base_url, _LINK, variables)
