"""Why no worker can have the code of a job: what its archive asks, and who comes nearest."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from dc.messages_worker import About
from dc.requirements import order_of
from dc.server.reason import Reason
from dc.server.shipping import Shipped, to_install
from dc.server.traits import Trait, lacking_for


class Nearest(Struct, frozen=True):
    """The worker that comes nearest to getting an archive, and what it lacks."""

    name: str
    about: About
    lacks: list[Trait]


def why_no_code(kind: str, shipped: Shipped | None, workers: Sequence[tuple[str, About]]) -> Reason:
    """Return why nobody has the code of a task type, and nobody can get it.

    Args:
        kind: name and version of the task type.
        shipped: the archive that could be shipped, if there is one.
        workers: names of the workers and what they are; at least one.
    """
    figures: dict[str, object] = dict(zip(("type", "version"), kind.split(" "), strict=True))
    nobody = f"no connected worker has task type {kind}"
    if shipped is None:
        return Reason("no type", nobody, figures)
    takers = [one for one in workers if one[1].takes_plugins]
    if not takers:
        return Reason("no type", f"{nobody}, and none takes plugins from the server", figures)
    near = min(
        (Nearest(name, about, lacking_for(about, shipped)) for name, about in takers),
        key=lambda one: (len(one.lacks), one.name),
    )
    lack = near.lacks[0]
    figures |= {"plugin": shipped.plugin.name, "lacks": lack.shipped, "nearest": near.name}
    others = [about for _, about in takers]
    return Reason("plugin", _sentence(lack, near, shipped, others), figures)


def _sentence(lack: Trait, near: Nearest, shipped: Shipped, takers: Sequence[About]) -> str:
    plugin, labels = shipped.plugin.name, near.about.labels
    if lack.shipped == "trusts":
        by = "signed by another" if shipped.plugin.signer else "not signed"
        must = f"which must be signed by a key that {near.name} trusts"
        return f"needs plugin {plugin}, {must}; it is {by}"
    if lack.shipped == "python":
        return _python(shipped.python, near, takers)
    if lack.shipped == "platform":
        wanted = " or ".join(shipped.platforms)
        here = f"{labels.get('os', 'unknown')}-{labels.get('arch', 'unknown')}"
        return f"needs {wanted}; no worker is that (nearest: {near.name}, which is {here})"
    names = ", ".join(to_install(list(shipped.dependencies), labels))
    who = f"no worker that could run it installs dependencies (nearest: {near.name})"
    return f"needs {names} installed; {who}"


def _python(wanted: str, near: Nearest, takers: Sequence[About]) -> str:
    have = [about.labels["python"] for about in takers if "python" in about.labels]
    if wanted.startswith(">") and "," not in wanted and have:
        most = max(have, key=lambda one: order_of(one) or ())
        return f"needs Python {wanted}; no worker has more than {most} (nearest: {near.name})"
    mine = near.about.labels.get("python", "an unknown one")
    return f"needs Python {wanted}; no worker has that (nearest: {near.name}, which has {mine})"


def code_text(trait: Trait, shipped: Shipped) -> str:
    """Return in a few words what an archive asks of a worker that is not so."""
    match trait.shipped:
        case "takes":
            return "takes no plugins"
        case "trusts":
            return "does not trust its signer" if shipped.plugin.signer else "wants it signed"
        case "python":
            return f"has no Python {shipped.python}"
        case "platform":
            return f"is not {' or '.join(shipped.platforms)}"
    return "installs no dependencies"
